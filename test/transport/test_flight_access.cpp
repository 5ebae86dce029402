#include "chunk_rows.hpp"
#include "raw_client.hpp"
#include "tcp_proxy.hpp"

#include "duckdb.hpp"
#include "duckdb/common/types/blob.hpp"

//! Who may call a Flight node, where it listens, and how Connect ends if something is wrong
namespace duckherder {
namespace {

using duckdb::ExceptionType;
namespace flight = arrow::flight;

class FlightAccess : public testing::Test {
protected:
	TimeLimit limit;

	static std::shared_ptr<WorkerService> Connect(const std::string &location, const std::string &token) {
		return FlightConnector(FlightClientSettings {token, ""}).Connect({"w1", location});
	}
};

TEST_F(FlightAccess, WrongTokenIsRefused) {
	LoopbackNode node;
	auto shorter = node.token.substr(0, node.token.size() - 1);
	auto other = node.token;
	other.back() = other.back() == '0' ? '1' : '0';
	for (auto &token : {std::string("wrong"), std::string(), shorter, other, node.token + "0", MakeToken()}) {
		auto error = ErrorOf([&] { Connect(node.location, token); });
		ExpectError(error, ExceptionType::PERMISSION, {"w1", node.location, "token"});
		EXPECT_EQ(error.Message().find(node.token), std::string::npos) << "the message gives the token away";
		FlightDriverClient driver(node.location, {token, ""});
		ExpectError(ErrorOf([&] { driver.ListWorkers(); }), ExceptionType::PERMISSION, {node.location, "token"});
	}
	EXPECT_TRUE(node.worker->Calls().empty());
	EXPECT_EQ(node.Connect()->GetInfo().address.id, "w1");
}

bool IsUnauthenticated(const arrow::Status &status) {
	auto detail = flight::FlightStatusDetail::UnwrapStatus(status);
	return detail && detail->code() == flight::FlightStatusCode::Unauthenticated;
}

TEST_F(FlightAccess, NothingIsDecodedWithoutTheToken) {
	FlightNodeOptions options;
	options.login_wait_ms = 0;
	LoopbackNode node(options);
	auto run = false;
	node.worker->fetch = [&](const FetchRequest &, const duckdb::vector<duckdb::LogicalType> &) {
		run = true;
		return NumbersThen(1, [](ScriptedSource &) {});
	};
	auto bearer = std::string(flight_protocol::BEARER_PREFIX);
	for (auto &authorization : {std::string(), std::string("wrong"), bearer, bearer + "wrong", node.token,
	                            "bearer " + node.token, "Basic " + node.token, bearer + node.token + " "}) {
		SCOPED_TRACE(authorization);
		RawClient raw(node.location, authorization);
		auto ticket = flight_protocol::Pack({EncodeMessage(MakeFetch()), EncodeTypes(NumberTypes())});
		// A wrong ticket must be refused for its lack of a token too, before anybody looks at it.
		for (auto &sent : {ticket, std::string("garbage")}) {
			EXPECT_TRUE(IsUnauthenticated(raw.Get(sent)));
			for (auto action : {actions::GET_INFO.name, actions::CANCEL_QUERY.name, actions::LOAD_EXTENSION.name,
			                    actions::LIST_WORKERS.name, "unknown"}) {
				EXPECT_TRUE(IsUnauthenticated(raw.Act(action, sent).status())) << action;
			}
		}
		auto request = flight_protocol::Pack({EncodeMessage(MakeRequest()), EncodeTypes({}), ""});
		EXPECT_TRUE(IsUnauthenticated(raw.AnswerTo(flight_protocol::RUN_TASK, request)));
		// what Flight offers besides
		EXPECT_TRUE(IsUnauthenticated(raw.client->ListFlights(raw.options, {}).status()));
		EXPECT_TRUE(IsUnauthenticated(raw.client->ListActions(raw.options).status()));
		auto descriptor = flight::FlightDescriptor::Command(flight_protocol::RUN_TASK);
		EXPECT_TRUE(IsUnauthenticated(raw.client->GetFlightInfo(raw.options, descriptor).status()));
	}
	EXPECT_FALSE(run);
	EXPECT_TRUE(node.worker->Calls().empty());
	// the same client with the token is served
	EXPECT_TRUE(
	    RawClient(node).Act(actions::GET_INFO.name, flight_protocol::Pack({EncodeMessage(WorkerRequest {"w1"})})).ok());
	EXPECT_EQ(node.worker->Calls(), std::vector<std::string> {"GetInfo"});
}

TEST_F(FlightAccess, TokenIsThePasswordOfAnyUser) {
	FlightNodeOptions options;
	options.login_wait_ms = 0;
	LoopbackNode node(options);
	auto bearer = flight_protocol::BEARER_PREFIX + node.token;
	RawClient nobody(node.location);
	auto header = nobody.client->AuthenticateBasicToken(nobody.options, "anybody", node.token);
	ASSERT_TRUE(header.ok()) << header.status().ToString();
	EXPECT_EQ(header->first, flight_protocol::AUTHORIZATION_HEADER);
	EXPECT_EQ(header->second, bearer);
	for (auto &password : {std::string("wrong"), std::string(), node.token + ":", ":" + node.token}) {
		EXPECT_FALSE(nobody.client->AuthenticateBasicToken(nobody.options, "anybody", password).ok()) << password;
	}
	auto encoded = [](const std::string &text) {
		return flight_protocol::BASIC_PREFIX + duckdb::Blob::ToBase64(duckdb::string_t(text));
	};
	auto act = [&](const std::string &authorization) {
		auto body = flight_protocol::Pack({EncodeMessage(WorkerRequest {"w1"})});
		return RawClient(node.location, authorization).Act(actions::GET_INFO.name, body).status();
	};
	EXPECT_TRUE(act(encoded("user:" + node.token)).ok());
	EXPECT_TRUE(act(encoded(":" + node.token)).ok());
	auto unfilled = encoded("us:" + node.token);
	unfilled.erase(unfilled.find_last_not_of('=') + 1);
	EXPECT_TRUE(act(unfilled).ok()) << "some clients do not fill it up";
	for (auto &authorization : {encoded(node.token), encoded("user:wrong"), encoded(""), std::string("Basic"),
	                            std::string("Basic "), std::string("Basic ====="), std::string("Basic \"!\""),
	                            encoded("user:" + node.token) + "A", "basic " + encoded("u:" + node.token).substr(6)}) {
		EXPECT_TRUE(IsUnauthenticated(act(authorization))) << authorization;
	}
}

TEST_F(FlightAccess, NodeListensOnlyWhereItIsSafe) {
	auto start = [](const FlightNodeOptions &options) { return ErrorOf([&] { FlightNode(options).Start(); }); };
	FlightNodeOptions options;
	ExpectError(start(options), ExceptionType::INVALID_INPUT, {"token"});
	options.insecure = true;
	ExpectError(start(options), ExceptionType::INVALID_INPUT, {"token"});
	options.insecure = false;
	options.token = MakeToken();
	for (auto host : {"0.0.0.0", "::", "", "192.0.2.1", "example.com", "0", "128.0.0.1"}) {
		options.host = host;
		ExpectError(start(options), ExceptionType::INVALID_INPUT, {"--insecure", "TLS"});
	}
	options.host = "127.0.0.1";
	options.tls_key = "a key without its certificate";
	ExpectError(start(options), ExceptionType::INVALID_INPUT, {"certificate"});
	std::swap(options.tls_key, options.tls_certificate);
	ExpectError(start(options), ExceptionType::INVALID_INPUT, {"key"});
}

TEST_F(FlightAccess, OperatorMayTakeTheRisk) {
	FlightNodeOptions options;
	options.host = "0.0.0.0";
	options.insecure = true;
	options.advertised_host = "node-1.example";
	LoopbackNode node(options);
	auto port = std::to_string(node.node->Port());
	EXPECT_EQ(node.location, "grpc://node-1.example:" + port);
	EXPECT_EQ(Connect("grpc://127.0.0.1:" + port, node.token)->GetInfo().address.id, "w1");
	ExpectError(ErrorOf([&] { Connect("grpc://127.0.0.1:" + port, "wrong"); }), ExceptionType::PERMISSION);

	options.advertised_host = "";
	LoopbackNode unnamed(options);
	EXPECT_EQ(unnamed.location.find("0.0.0.0"), std::string::npos) << "others cannot call " << unnamed.location;
	options.advertised_host = "2001:db8::1";
	LoopbackNode named(options);
	EXPECT_EQ(named.location, "grpc://[2001:db8::1]:" + std::to_string(named.node->Port()));
}

TEST_F(FlightAccess, PortThatIsTakenIsAnIOException) {
	LoopbackNode first;
	FlightNodeOptions options;
	options.token = first.token;
	options.port = first.node->Port();
	auto expect_refused = [&] {
		FlightNode second(options);
		ExpectError(ErrorOf([&] { second.Start(); }), ExceptionType::IO, {std::to_string(options.port)});
	};
	expect_refused();
	BoundSocket socket;
	socket.Listen();
	options.port = socket.port;
	expect_refused();
	EXPECT_EQ(first.Connect()->GetInfo().address.id, "w1");
}

TEST_F(FlightAccess, StartedNodeCanBeStoppedTwice) {
	LoopbackNode node;
	EXPECT_EQ(node.location, "grpc://127.0.0.1:" + std::to_string(node.node->Port()));
	EXPECT_EQ(node.location, node.node->Location());
	node.node->Stop();
	node.node->Stop();
	ExpectError(ErrorOf([&] { node.Connect(); }), ExceptionType::IO, {"cannot reach worker w1", node.location});
}

//! Connect must fail, say where, and not take much longer than CONNECT_TIMEOUT_MS
void ExpectUnreachable(const std::string &location) {
	auto begin = std::chrono::steady_clock::now();
	FlightConnector connector(FlightClientSettings {"token", ""});
	auto error = ErrorOf([&] { connector.Connect({"w1", location}); });
	auto elapsed = std::chrono::steady_clock::now() - begin;
	ExpectError(error, ExceptionType::IO, {"cannot reach worker w1 at " + location});
	EXPECT_LT(elapsed, std::chrono::seconds(8));
}

TEST_F(FlightAccess, UnreachableAddressFailsQuickly) {
	// nobody listens there
	BoundSocket closed;
	ExpectUnreachable(closed.Location());
	// somebody took the connection and says nothing
	BoundSocket silent;
	silent.Listen();
	ExpectUnreachable(silent.Location());
	ExpectUnreachable("grpc://no-such-host.invalid:1");
	FlightDriverClient driver(closed.Location(), {"token", ""});
	ExpectError(ErrorOf([&] { driver.Heartbeat(WorkerInfo()); }), ExceptionType::IO, {closed.Location()});
}

TEST_F(FlightAccess, OtherVersionsAreRefused) {
	LoopbackNode node;
	std::string ours = duckdb::DuckDB::LibraryVersion();
	node.worker->info.duckdb_version = "v9.8.7";
	ExpectError(ErrorOf([&] { node.Connect(); }), ExceptionType::INVALID_INPUT, {"w1", "v9.8.7", ours});
	node.worker->info.duckdb_version = ours;
	node.worker->info.protocol_version = PROTOCOL_VERSION + 41;
	ExpectError(
	    ErrorOf([&] { node.Connect(); }), ExceptionType::INVALID_INPUT,
	    {"w1", "protocol " + std::to_string(PROTOCOL_VERSION + 41), "protocol " + std::to_string(PROTOCOL_VERSION)});
	// once the worker was updated the same connector reaches it
	auto connector = node.MakeConnector();
	ASSERT_TRUE(ErrorOf([&] { connector->Connect(node.Address()); }).HasError());
	node.worker->info.protocol_version = PROTOCOL_VERSION;
	connector->Connect(node.Address());
	// asked once per connection and worker
	auto asked = node.worker->Calls().size();
	connector->Connect(node.Address());
	EXPECT_EQ(node.worker->Calls().size(), asked);
	connector->Connect({"w2", node.location});
	EXPECT_EQ(node.other->Calls(), std::vector<std::string> {"GetInfo"});
}

TEST_F(FlightAccess, FailuresWaitLongerEachTimeAndAreLogged) {
	LoopbackNode node;
	auto ask = [&](const std::string &authorization) {
		auto begin = std::chrono::steady_clock::now();
		EXPECT_TRUE(
		    IsUnauthenticated(RawClient(node.location, authorization).Act(actions::GET_INFO.name, "").status()));
		return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count();
	};
	testing::internal::CaptureStderr();
	auto first = ask("");
	for (auto i = 0; i < 3; i++) {
		ask(flight_protocol::BEARER_PREFIX + std::string("wrong"));
	}
	auto fifth = ask("Basic " + node.token);
	auto log = testing::internal::GetCapturedStderr();
	EXPECT_GE(first, static_cast<int64_t>(limits::LOGIN_WAIT_MS));
	EXPECT_GE(fifth, static_cast<int64_t>(16 * limits::LOGIN_WAIT_MS));
	EXPECT_NE(log.find("refused a call from ipv4:127.0.0.1: it has no token (1 failures)"), std::string::npos) << log;
	EXPECT_EQ(log.find("failures", log.find("failures") + 1), std::string::npos) << log;
	EXPECT_EQ(log.find(node.token), std::string::npos);
	// who has the token does not wait for those that do not
	EXPECT_TRUE(
	    RawClient(node).Act(actions::GET_INFO.name, flight_protocol::Pack({EncodeMessage(WorkerRequest {"w1"})})).ok());
}

TEST_F(FlightAccess, ManyFailuresAtOnceKeepNobodyOut) {
	LoopbackNode node;
	testing::internal::CaptureStderr();
	std::vector<std::thread> strangers;
	for (auto i = 0; i < 100; i++) {
		strangers.emplace_back([&] {
			EXPECT_TRUE(IsUnauthenticated(RawClient(node.location, "no").Act(actions::GET_INFO.name, "").status()));
		});
	}
	EXPECT_EQ(node.Connect()->GetInfo().address.id, "w1");
	for (auto &stranger : strangers) {
		stranger.join();
	}
	testing::internal::GetCapturedStderr();
}

TEST_F(FlightAccess, MessageOfOneGigabyteIsRefused) {
	LoopbackNode node;
#ifdef __SANITIZE_THREAD__
	// its notes of each byte take minutes for a gigabyte
	std::string large(limits::CONTROL_MESSAGE_BYTES_MAX + (1 << 20), 'x');
#else
	std::string large(1 << 30, 'x');
#endif
	EXPECT_TRUE(IsUnauthenticated(RawClient(node.location, "no").Act(actions::GET_INFO.name, large).status()));
	auto answer = RawClient(node).Act(actions::GET_INFO.name, large);
	ASSERT_TRUE(answer.ok()) << answer.status().ToString();
	auto frame = flight_protocol::DecodeFrame(*answer);
	EXPECT_EQ(static_cast<int>(frame.kind), static_cast<int>(flight_protocol::FrameKind::ERROR));
	EXPECT_NE(DecodeMessage<TaskError>(frame.body).message.find("larger than the"), std::string::npos);
	EXPECT_EQ(node.Connect()->GetInfo().address.id, "w1");
}

TEST_F(FlightAccess, RolesMayDoWhatTheyAreFor) {
	FlightNodeOptions options;
	options.client_tokens = {{Role::READ, "reader"}, {Role::WRITE, "writer"}, {Role::ADMIN, "administrator"}};
	LoopbackNode node(options);
	auto may = [&](const std::string &token, const std::string &action) {
		auto body = flight_protocol::Pack({EncodeMessage(WorkerRequest {"w1"})});
		auto answer = RawClient(node.location, flight_protocol::BEARER_PREFIX + token).Act(action, body);
		EXPECT_TRUE(answer.ok()) << answer.status().ToString();
		auto frame = flight_protocol::DecodeFrame(*answer);
		auto refused = frame.kind == flight_protocol::FrameKind::ERROR &&
		               DecodeMessage<TaskError>(frame.body).message.find("needs the role") != std::string::npos;
		return !refused;
	};
	for (auto token : {"reader", "writer", "administrator"}) {
		auto administers = token == std::string("administrator");
		EXPECT_TRUE(may(token, actions::GET_INFO.name));
		EXPECT_TRUE(may(token, actions::LIST_WORKERS.name));
		EXPECT_EQ(may(token, actions::CANCEL_QUERY.name), administers);
		EXPECT_EQ(may(token, actions::LOAD_EXTENSION.name), administers);
		EXPECT_EQ(may(token, actions::UNREGISTER_WORKER.name), administers);
		for (auto action : {actions::REGISTER_WORKER.name, actions::HEARTBEAT.name, actions::RENEW_LEASE.name,
		                    actions::ADMIT_QUERY.name, actions::RELEASE_QUERY.name, "unknown"}) {
			EXPECT_FALSE(may(token, action)) << action;
		}
		// plans and rows are for nodes
		auto channel = FlightConnector(FlightClientSettings {token, ""}).Connect(node.Address());
		ExpectFailure(channel->RunTask(MakeRequest(), nullptr), ErrorKind::USER, ExceptionType::PERMISSION,
		              {"needs the role 'node'"});
		ExpectError(ErrorOf([&] { ReadAll(*channel->Fetch(MakeFetch(), NumberTypes())); }), ExceptionType::PERMISSION,
		            {"needs the role 'node'"});
	}
	EXPECT_TRUE(node.worker->Tasks().empty());
	EXPECT_TRUE(node.worker->Fetches().empty());
	EXPECT_FALSE(node.Connect()->RunTask(MakeRequest(), nullptr).failed);
}

} // namespace
} // namespace duckherder
