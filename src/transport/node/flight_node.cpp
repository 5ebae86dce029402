#include "transport/node/flight_node.hpp"

#include "wire/errors.hpp"
#include "wire/messages.hpp"
#include "common/limits.hpp"
#include "transport/flight/client_cookie.hpp"
#include "transport/flight/flight_protocol.hpp"
#include "transport/flight_sql/flight_sql.hpp"
#include "transport/flight/token_auth.hpp"
#include "transport/flight/known_stages.hpp"
#include "transport/flight/listen_failure.hpp"
#include "transport/flight/message_order.hpp"
#include "transport/flight/received_feed.hpp"
#include "transport/flight/sent_output.hpp"
#include "transport/flight/session_calls.hpp"
#include "transport/flight/task_call.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/flight/server.h>
#include <arrow/flight/server_auth.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
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

bool IsLoopback(const std::string &host) {
	return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0;
}

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

	void AddWorker(const WorkerId &id, std::shared_ptr<WorkerService> worker) {
		std::lock_guard<std::mutex> guard(lock);
		workers[id] = std::move(worker);
	}

	void RemoveWorker(const WorkerId &id) {
		std::lock_guard<std::mutex> guard(lock);
		workers.erase(id);
	}

	void SetDriver(std::shared_ptr<DriverService> driver_p) {
		std::lock_guard<std::mutex> guard(lock);
		driver = std::move(driver_p);
	}

	void SetDatabase(std::shared_ptr<DatabaseService> database_p) {
		std::shared_ptr<FlightSql> none;
		std::lock_guard<std::mutex> guard(lock);
		database = std::move(database_p);
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
			auto role = TokenAuth::RoleOf(context, "Reading");
			auto parts = flight_protocol::Unpack(ticket.ticket);
			if (!parts.empty() && parts[0] == flight_protocol::STATEMENT) {
				*stream = SessionCalls(Database(), role).Result(context, parts, stopping);
				return;
			}
			TokenAuth::Require(context, Role::NODE, "Reading the output of a task");
			flight_protocol::CheckParts(parts, 2);
			auto request = DecodeFetchRequest(parts[0]);
			auto types = DecodeTypes(parts[1]);
			auto open = [worker = Worker(request.worker_id), request, types] { return worker->Fetch(request, types); };
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
			auto role = TokenAuth::RoleOf(context, "Sending rows");
			auto parts = flight_protocol::Unpack(reader->descriptor().cmd);
			if (parts.empty() || parts[0] != flight_protocol::UPLOAD) {
				throw InvalidInputException("rows for an unknown purpose");
			}
			SessionCalls(Database(), role).Upload(parts, *reader, *writer);
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
			auto parts = Parts(first->app_metadata->ToString(), 3);
			auto request = DecodeTaskRequest(parts[0]);
			auto worker = Worker(request.worker_id);
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
		WorkerId worker;
		try {
			TokenAuth::Require(context, RoleFor(action.type), "The action " + action.type);
			auto reply =
			    SessionCalls::Knows(action.type)
			        ? SessionCalls(Database(), TokenAuth::RoleOf(context, action.type)).Act(action, context.peer())
			        : Act(action, worker);
			flight_protocol::StreamFrame frame {flight_protocol::FrameKind::REPLY, std::move(reply)};
			answer = flight_protocol::EncodeFrame(frame);
		} catch (std::exception &error) {
			answer = flight_protocol::EncodeFrame(flight_protocol::ErrorFrame(ToTaskError(error, worker)));
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

	static Role RoleFor(const std::string &action) {
		if (action == flight_protocol::LIST_WORKERS || action == flight_protocol::GET_INFO ||
		    SessionCalls::Knows(action)) {
			return Role::READ;
		}
		auto administers = action == flight_protocol::LOAD_EXTENSION || action == flight_protocol::UNREGISTER_WORKER ||
		                   action == flight_protocol::CANCEL_QUERY;
		return administers ? Role::ADMIN : Role::NODE;
	}

	static std::vector<std::string> Parts(const std::string &bytes, size_t count) {
		auto parts = flight_protocol::Unpack(bytes);
		flight_protocol::CheckParts(parts, count);
		return parts;
	}

	std::shared_ptr<WorkerService> Worker(const WorkerId &id) {
		std::lock_guard<std::mutex> guard(lock);
		auto entry = workers.find(id);
		if (entry != workers.end()) {
			return entry->second;
		}
		if (workers.size() == 1) {
			// who registers a worker by its location may call it what he wants
			return workers.begin()->second;
		}
		std::string known;
		for (auto &worker : workers) {
			known += (known.empty() ? "" : ", ") + worker.first;
		}
		throw IOException("there is no worker %s here%s", id, known.empty() ? known : ", only " + known);
	}

	std::shared_ptr<DriverService> Driver() {
		std::lock_guard<std::mutex> guard(lock);
		if (!driver) {
			throw IOException("there is no driver here");
		}
		return driver;
	}

	std::shared_ptr<DatabaseService> Database() {
		std::lock_guard<std::mutex> guard(lock);
		return DatabaseLocked();
	}

	//! The lock is ours
	std::shared_ptr<DatabaseService> DatabaseLocked() {
		if (!database) {
			throw IOException("there is no database here: only a driver has one");
		}
		return database;
	}

	//! Made for its first call: most nodes have no such clients
	std::shared_ptr<FlightSql> Sql() {
		std::lock_guard<std::mutex> guard(lock);
		if (!sql) {
			sql = std::make_shared<FlightSql>(DatabaseLocked(), transaction_idle_ms);
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

	//! `worker` is set to the one that the action is about, if any
	std::string Act(const flight::Action &action, WorkerId &worker) {
		auto body = action.body ? action.body->ToString() : std::string();
		auto &type = action.type;
		if (type == flight_protocol::REGISTER_WORKER) {
			Driver()->RegisterWorker(DecodeWorkerInfo(Parts(body, 1)[0]));
			return "";
		}
		if (type == flight_protocol::HEARTBEAT) {
			return Driver()->Heartbeat(DecodeWorkerInfo(Parts(body, 1)[0])) ? "known" : "unknown";
		}
		if (type == flight_protocol::UNREGISTER_WORKER) {
			auto parts = Parts(body, 2);
			Driver()->UnregisterWorker(parts[0], parts[1]);
			return "";
		}
		if (type == flight_protocol::LIST_WORKERS) {
			return EncodeWorkerList(Driver()->ListWorkers());
		}
		if (type == flight_protocol::ADMIT_QUERY) {
			auto parts = Parts(body, 3);
			auto wait_ms =
			    std::min<uint64_t>(std::strtoull(parts[2].c_str(), nullptr, 10), limits::ADMISSION_CALL_WAIT_MS);
			return Driver()->AdmitQuery(parts[0], parts[1], wait_ms) ? "admitted" : "waiting";
		}
		if (type == flight_protocol::RENEW_LEASES) {
			Driver()->RenewLeases(flight_protocol::Unpack(body));
			return "";
		}
		if (type == flight_protocol::RELEASE_QUERY) {
			Driver()->ReleaseQuery(Parts(body, 1)[0]);
			return "";
		}
		auto about_worker = type == flight_protocol::GET_INFO || type == flight_protocol::CANCEL_QUERY ||
		                    type == flight_protocol::RENEW_LEASE || type == flight_protocol::LOAD_EXTENSION;
		if (!about_worker) {
			throw InvalidInputException("unknown action '%s'", type);
		}
		auto parts = Parts(body, 2);
		auto service = Worker(parts[0]);
		worker = parts[0];
		if (type == flight_protocol::GET_INFO) {
			return EncodeWorkerInfo(service->GetInfo());
		}
		if (type == flight_protocol::CANCEL_QUERY) {
			service->CancelQuery(parts[1]);
			known_stages.DropQuery(parts[1]);
		} else if (type == flight_protocol::RENEW_LEASE) {
			auto lost_locations = DecodeParts(parts[1]);
			if (lost_locations.empty()) {
				throw InvalidInputException("'%s' names no query", type);
			}
			auto query_id = std::move(lost_locations.back());
			lost_locations.pop_back();
			service->RenewLease(query_id, lost_locations);
		} else {
			service->LoadExtension(parts[1]);
		}
		return "";
	}

	const uint64_t transaction_idle_ms;
	std::mutex lock;
	std::map<WorkerId, std::shared_ptr<WorkerService>> workers;
	std::shared_ptr<DriverService> driver;
	std::shared_ptr<DatabaseService> database;
	std::shared_ptr<FlightSql> sql;
	std::set<TaskCall *> calls;
	KnownStages known_stages;
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
	auto guard = std::make_shared<TokenAuth>(options.token, options.client_tokens, options.login_wait_ms);
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
	server->AddWorker(id, std::move(worker));
}

void FlightNode::RemoveWorker(const WorkerId &id) {
	server->RemoveWorker(id);
}

void FlightNode::SetDriver(std::shared_ptr<DriverService> driver) {
	server->SetDriver(std::move(driver));
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
