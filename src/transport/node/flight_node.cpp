#include "transport/node/flight_node.hpp"

#include "wire/errors.hpp"
#include "wire/messages.hpp"
#include "common/limits.hpp"
#include "transport/flight/client_cookie.hpp"
#include "transport/flight/flight_protocol.hpp"
#include "transport/flight_sql/flight_sql.hpp"
#include "transport/flight/token_auth.hpp"
#include "transport/flight/known_stages.hpp"
#include "transport/flight/message_order.hpp"
#include "transport/flight/received_feed.hpp"
#include "transport/flight/sent_output.hpp"
#include "transport/flight/session_streams.hpp"
#include "transport/flight/task_call.hpp"
#include "transport/listen/listen_failure.hpp"
#include "transport/node/node_services.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/flight/server.h>
#include <arrow/flight/server_auth.h>

#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unistd.h>

namespace duckherder {

using duckdb::InvalidInputException;
using duckdb::IOException;

namespace flight = arrow::flight;

namespace {

//! How long Stop waits for running calls to end
constexpr std::chrono::seconds STOP_WAIT(10);

std::string LocationOf(const FlightNodeOptions &options, const std::string &host, uint16_t port) {
	auto scheme = options.tls_certificate.empty() ? "grpc://" : "grpc+tls://";
	auto bracketed = host.find(':') == std::string::npos ? host : "[" + host + "]";
	return scheme + bracketed + ":" + std::to_string(port);
}

std::string AdvertisedHost(const FlightNodeOptions &options) {
	if (!options.advertised_host.empty()) {
		return options.advertised_host;
	}
	if (options.host != "0.0.0.0" && options.host != "::") {
		return options.host;
	}
	char name[256] = {};
	return gethostname(name, sizeof(name) - 1) == 0 ? name : options.host;
}

void CheckSafe(const FlightNodeOptions &options) {
	if (options.token.empty()) {
		throw InvalidInputException("A node does not listen without a token");
	}
	if (options.tls_certificate.empty() != options.tls_key.empty()) {
		throw InvalidInputException("TLS needs both a certificate and its key");
	}
	if (!options.tls_client_authority.empty() && options.tls_certificate.empty()) {
		throw InvalidInputException("Certificates of clients can only be asked for over TLS: --tls-client-ca needs "
		                            "--tls-cert and --tls-key");
	}
	if (!IsLoopback(options.host) && options.tls_certificate.empty() && !options.insecure) {
		throw InvalidInputException("Listening at %s, beyond this machine, needs TLS (--tls-cert and --tls-key), or "
		                            "--insecure if the network is trusted",
		                            options.host);
	}
}

} // namespace

class FlightNode::Server : public flight::FlightServerBase {
public:
	explicit Server(uint64_t transaction_idle_ms_p) : transaction_idle_ms(transaction_idle_ms_p) {
	}

	NodeServices services;

	void SetDatabase(std::shared_ptr<DatabaseService> database) {
		services.SetDatabase(std::move(database));
		std::shared_ptr<FlightSql> none;
		std::lock_guard<std::mutex> guard(lock);
		std::swap(sql, none);
	}

	//! Idempotent
	void StopCalls() {
		*stopping = true;
		std::lock_guard<std::mutex> guard(lock);
		for (auto *call : calls) {
			call->Stop();
		}
	}

	arrow::Status GetFlightInfo(const flight::ServerCallContext &context, const flight::FlightDescriptor &descriptor,
	                            std::unique_ptr<flight::FlightInfo> *info) override {
		if (!FlightSql::Knows(descriptor.cmd)) {
			return FlightServerBase::GetFlightInfo(context, descriptor, info);
		}
		return WithSql(context, [&](auto &flight_sql, auto &caller) {
			return flight_sql.GetFlightInfo(caller, descriptor, info);
		});
	}

	arrow::Status GetSchema(const flight::ServerCallContext &context, const flight::FlightDescriptor &descriptor,
	                        std::unique_ptr<flight::SchemaResult> *schema) override {
		if (!FlightSql::Knows(descriptor.cmd)) {
			return FlightServerBase::GetSchema(context, descriptor, schema);
		}
		return WithSql(
		    context, [&](auto &flight_sql, auto &caller) { return flight_sql.GetSchema(caller, descriptor, schema); });
	}

	arrow::Status DoGet(const flight::ServerCallContext &context, const flight::Ticket &ticket,
	                    std::unique_ptr<flight::FlightDataStream> *stream) override {
		if (FlightSql::Knows(ticket.ticket)) {
			return WithSql(context,
			               [&](auto &flight_sql, auto &caller) { return flight_sql.DoGet(caller, ticket, stream); });
		}
		return Answer([&] {
			TokenAuth::Require(context, Role::READ, "Reading");
			auto parts = flight_protocol::Unpack(ticket.ticket);
			if (!parts.empty() && parts[0] == flight_protocol::STATEMENT) {
				*stream = SessionStreams(services.Database()).Result(context, parts, stopping);
				return;
			}
			TokenAuth::Require(context, Role::NODE, "Reading the output of a task");
			flight_protocol::CheckParts(parts, 2);
			auto request = DecodeMessage<FetchRequest>(parts[0]);
			auto types = DecodeTypes(parts[1]);
			auto open = [worker = services.Worker(request.worker_id), request, types] {
				return worker->Fetch(request, types);
			};
			*stream = std::make_unique<SentOutput>(request.worker_id, types, open, stopping);
		});
	}

	arrow::Status DoPut(const flight::ServerCallContext &context, std::unique_ptr<flight::FlightMessageReader> reader,
	                    std::unique_ptr<flight::FlightMetadataWriter> writer) override {
		if (FlightSql::Knows(reader->descriptor().cmd)) {
			return WithSql(context,
			               [&](auto &flight_sql, auto &caller) { return flight_sql.DoPut(caller, *reader, *writer); });
		}
		return Answer([&] {
			TokenAuth::Require(context, Role::READ, "Sending rows");
			auto parts = flight_protocol::Unpack(reader->descriptor().cmd);
			if (parts.empty() || parts[0] != flight_protocol::UPLOAD) {
				throw InvalidInputException("rows for an unknown purpose");
			}
			SessionStreams(services.Database()).Upload(parts, *reader, *writer);
		});
	}

	arrow::Status DoExchange(const flight::ServerCallContext &context,
	                         std::unique_ptr<flight::FlightMessageReader> reader,
	                         std::unique_ptr<flight::FlightMessageWriter> writer) override {
		return Answer([&] {
			// before its first message is read: a worker takes plans from drivers only
			TokenAuth::Require(context, Role::NODE, "Running a task");
			if (reader->descriptor().cmd != flight_protocol::RUN_TASK) {
				throw InvalidInputException("unknown exchange '%s'", reader->descriptor().cmd);
			}
			auto first = reader->Next();
			if (!first.ok() || !first->app_metadata) {
				throw InvalidInputException("a task call begins with its request");
			}
			auto parts = flight_protocol::Unpack(first->app_metadata->ToString());
			flight_protocol::CheckParts(parts, 3);
			auto request = DecodeMessage<TaskRequest>(parts[0]);
			auto worker = services.Worker(request.worker_id);
			if (parts[2] != flight_protocol::WITHOUT_STAGE) {
				known_stages.Remember(request);
			} else if (!known_stages.Complete(request)) {
				auto status = writer->WriteMetadata(flight_protocol::FrameBuffer(
				    flight_protocol::StreamFrame {flight_protocol::FrameKind::RESEND, ""}));
				static_cast<void>(status);
				return;
			}
			auto feed = request.split.fed ? std::make_shared<ReceivedFeed>(DecodeTypes(parts[1])) : nullptr;
			TaskCall call(*reader, *writer, std::move(request), std::move(worker), std::move(feed));
			Run(call);
		});
	}

	arrow::Status DoAction(const flight::ServerCallContext &context, const flight::Action &action,
	                       std::unique_ptr<flight::ResultStream> *results) override {
		if (FlightSql::KnowsAction(action.type)) {
			return WithSql(
			    context, [&](auto &flight_sql, auto &caller) { return flight_sql.DoAction(caller, action, results); });
		}
		std::string answer;
		ActionTable::Caller caller;
		try {
			TokenAuth::Require(context, action_table.RoleFor(action.type), "The action " + action.type);
			caller.role = TokenAuth::RoleOf(context, action.type);
			caller.peer = context.peer();
			auto reply = action_table.Act(action.type, action.body ? action.body->ToString() : std::string(), caller);
			flight_protocol::StreamFrame frame {flight_protocol::FrameKind::REPLY, std::move(reply)};
			answer = flight_protocol::EncodeFrame(frame);
		} catch (std::exception &error) {
			answer = flight_protocol::EncodeFrame(flight_protocol::ErrorFrame(ToTaskError(error, caller.worker)));
		}
		std::vector<flight::Result> list(1);
		list[0].body = arrow::Buffer::FromString(std::move(answer));
		*results = std::make_unique<flight::SimpleResultStream>(std::move(list));
		return arrow::Status::OK();
	}

private:
	template <class FUNCTION>
	static arrow::Status Answer(FUNCTION function) {
		try {
			function();
			return arrow::Status::OK();
		} catch (duckdb::PermissionException &error) {
			return flight::MakeFlightError(flight::FlightStatusCode::Unauthorized,
			                               duckdb::ErrorData(error).RawMessage());
		} catch (std::exception &error) {
			return arrow::Status::Invalid(duckdb::ErrorData(error).Message());
		}
	}

	//! Calls Flight SQL's part, if there is a database here
	template <class FUNCTION>
	arrow::Status WithSql(const flight::ServerCallContext &context, FUNCTION function) {
		arrow::Status status;
		auto answer = Answer([&] {
			FlightSql::Caller caller {context, TokenAuth::RoleOf(context, "Flight SQL"), stopping};
			status = function(*Sql(), caller);
		});
		return answer.ok() ? status : answer;
	}

	//! Made for its first call: most nodes have no such clients
	std::shared_ptr<FlightSql> Sql() {
		std::lock_guard<std::mutex> guard(lock);
		if (!sql) {
			sql = std::make_shared<FlightSql>(services.Database(), transaction_idle_ms);
		}
		return sql;
	}

	void Run(TaskCall &call) {
		{
			std::lock_guard<std::mutex> guard(lock);
			calls.insert(&call);
			if (*stopping) {
				call.Stop();
			}
		}
		call.Run();
		std::lock_guard<std::mutex> guard(lock);
		calls.erase(&call);
	}

	const uint64_t transaction_idle_ms;
	std::mutex lock;
	std::shared_ptr<FlightSql> sql;
	std::set<TaskCall *> calls;
	KnownStages known_stages;
	const ActionTable action_table = ActionsOf(services, known_stages);
	//! Shared with streams, which may outlive the server for a moment
	std::shared_ptr<std::atomic<bool>> stopping = std::make_shared<std::atomic<bool>>(false);
};

FlightNode::FlightNode(FlightNodeOptions options_p)
    : options(std::move(options_p)), server(std::make_shared<Server>(options.transaction_idle_ms)) {
}

FlightNode::~FlightNode() {
	Stop();
}

std::string FlightNode::Start() {
	CheckSafe(options);
	auto location = flight::Location::Parse(LocationOf(options, options.host, options.port));
	if (!location.ok()) {
		throw InvalidInputException("'%s' is no host to listen at: %s", options.host, location.status().message());
	}
	flight::FlightServerOptions server_options(*location);
	auto guard = std::make_shared<TokenAuth>(KnownTokens(options.token, options.client_tokens), options.login_wait_ms);
	server_options.middleware.emplace_back(TokenAuth::NAME, std::move(guard));
	server_options.middleware.emplace_back(ClientCookie::NAME, std::make_shared<ClientCookie>());
	// the guard has seen the token by then: a handshake only brings its answer back
	server_options.auth_handler = std::make_shared<flight::NoOpAuthHandler>();
	if (!options.tls_certificate.empty()) {
		server_options.tls_certificates.push_back({options.tls_certificate, options.tls_key});
	}
	if (!options.tls_client_authority.empty()) {
		server_options.verify_client = true;
		server_options.root_certificates = options.tls_client_authority;
	}
	message_order::Sent();
	auto status = server->Init(server_options);
	if (!status.ok()) {
		auto why = WhyNoListening(options.host, options.port);
		if (why.empty() && !options.tls_certificate.empty()) {
			why = "the TLS certificate and the private key cannot be used: they have to belong together, in PEM form, "
			      "the "
			      "key without a passphrase";
		}
		throw IOException("Cannot listen at %s:%d: %s", options.host, options.port,
		                  why.empty() ? status.message() : why);
	}
	started = true;
	return Location();
}

void FlightNode::Stop() {
	if (!started.exchange(false)) {
		return;
	}
	server->StopCalls();
	std::promise<void> stopped;
	auto is_stopped = stopped.get_future();
	std::thread([server = server, stopped = std::move(stopped)]() mutable {
		auto deadline = std::chrono::system_clock::now() + STOP_WAIT;
		auto status = server->Shutdown(&deadline);
		message_order::Received();
		static_cast<void>(status);
		server.reset();
		stopped.set_value();
	}).detach();
	is_stopped.wait_for(STOP_WAIT * 2);
}

void FlightNode::AddWorker(const WorkerId &id, std::shared_ptr<WorkerService> worker) {
	server->services.AddWorker(id, std::move(worker));
}

void FlightNode::RemoveWorker(const WorkerId &id) {
	server->services.RemoveWorker(id);
}

void FlightNode::SetDriver(std::shared_ptr<DriverService> driver) {
	server->services.SetDriver(std::move(driver));
}

void FlightNode::SetDatabase(std::shared_ptr<DatabaseService> database) {
	server->SetDatabase(std::move(database));
}

std::string FlightNode::Location() const {
	auto port = options.advertised_port > 0 ? options.advertised_port : Port();
	return LocationOf(options, AdvertisedHost(options), port);
}

uint16_t FlightNode::Port() const {
	return static_cast<uint16_t>(server->port());
}

} // namespace duckherder
