#include "transport/flight/flight_connections.hpp"

#include "wire/errors.hpp"
#include "wire/messages.hpp"
#include "common/limits.hpp"
#include "transport/flight/flight_protocol.hpp"
#include "transport/flight/message_order.hpp"

#include "duckdb/common/exception.hpp"

namespace duckherder {

using duckdb::InvalidInputException;
using duckdb::IOException;

namespace flight = arrow::flight;

CallWatch::~CallWatch() {
	{
		std::lock_guard<std::mutex> guard(lock);
		stopping = true;
	}
	wake.notify_all();
	if (thread.joinable()) {
		thread.join();
	}
}

CallWatch::Wait::Wait(CallWatch &watch_p, std::function<void()> cancel_p)
    : watch(watch_p), cancel(std::move(cancel_p)),
      deadline(std::chrono::steady_clock::now() + std::chrono::milliseconds(limits::KEEPALIVE_TIMEOUT_MS)) {
	std::lock_guard<std::mutex> guard(watch.lock);
	if (!watch.thread.joinable()) {
		watch.thread = std::thread([this_watch = &watch] { this_watch->Run(); });
	}
	place = watch.waits.insert(watch.waits.end(), this);
}

CallWatch::Wait::~Wait() {
	std::lock_guard<std::mutex> guard(watch.lock);
	watch.waits.erase(place);
}

void CallWatch::Run() {
	std::unique_lock<std::mutex> guard(lock);
	while (!stopping) {
		auto now = std::chrono::steady_clock::now();
		for (auto *wait : waits) {
			if (wait->deadline > now) {
				break;
			}
			wait->cancel();
		}
		wake.wait_for(guard, std::chrono::milliseconds(limits::KEEPALIVE_INTERVAL_MS));
	}
}

OngoingCalls::Entry::Entry(OngoingCalls &calls_p, const std::string &location, const QueryId &query, std::string what_p,
                           std::function<void()> cancel_p)
    : calls(calls_p), what(std::move(what_p)), cancel(std::move(cancel_p)) {
	std::lock_guard<std::mutex> guard(calls.lock);
	place = calls.entries.emplace(Key(location, query), this);
}

OngoingCalls::Entry::~Entry() {
	std::lock_guard<std::mutex> guard(calls.lock);
	calls.entries.erase(place);
}

void OngoingCalls::Cut(const std::string &location, const QueryId &query, const std::string &what) {
	std::lock_guard<std::mutex> guard(lock);
	auto range = entries.equal_range(Entry::Key(location, query));
	for (auto entry = range.first; entry != range.second; ++entry) {
		if (what.empty() || entry->second->what == what) {
			entry->second->cancel();
		}
	}
}

FlightConnections::FlightConnections(FlightClientSettings settings_p) : settings(std::move(settings_p)) {
}

std::shared_ptr<FlightConnections::Connection> FlightConnections::Get(const std::string &location) {
	std::lock_guard<std::mutex> guard(lock);
	auto &entry = connections[location];
	if (entry) {
		return entry;
	}
	auto parsed = flight::Location::Parse(location);
	if (!parsed.ok() || (parsed->scheme() != "grpc" && parsed->scheme() != "grpc+tls")) {
		connections.erase(location);
		throw InvalidInputException("'%s' is no location of a node: grpc://HOST:PORT or grpc+tls://HOST:PORT is needed",
		                            location);
	}
	auto options = flight::FlightClientOptions::Defaults();
	options.tls_root_certs = settings.tls_roots;
	options.cert_chain = settings.tls_certificate;
	options.private_key = settings.tls_key;
	// the nodes of a cluster reach each other directly, whatever proxy leads out of the house
	options.generic_options.emplace_back("grpc.enable_http_proxy", 0);
	// A new client tries anew: otherwise it shares with former ones that the node could not be reached just now, and
	// waits before it tries a node that was started again
	options.generic_options.emplace_back("grpc.use_local_subchannel_pool", 1);
	// With this gRPC sets TCP_USER_TIMEOUT: a write to a machine that takes nothing more fails. Its pings go out more
	// rarely than servers object to; CallWatch looks after reads.
	options.generic_options.emplace_back("grpc.keepalive_time_ms", static_cast<int>(limits::PING_INTERVAL_MS));
	options.generic_options.emplace_back("grpc.keepalive_timeout_ms", static_cast<int>(limits::KEEPALIVE_TIMEOUT_MS));
	auto client = flight::FlightClient::Connect(*parsed, options);
	if (!client.ok()) {
		connections.erase(location);
		throw IOException("cannot connect to %s: %s", location, client.status().message());
	}
	entry = std::make_shared<Connection>();
	entry->location = location;
	entry->client = client.MoveValueUnsafe();
	return entry;
}

void FlightConnections::Drop(const std::shared_ptr<Connection> &connection) {
	std::lock_guard<std::mutex> guard(lock);
	auto entry = connections.find(connection->location);
	if (entry != connections.end() && entry->second == connection) {
		connections.erase(entry);
	}
}

bool FlightConnections::HasShakenHands(const std::shared_ptr<Connection> &connection, const WorkerId &worker) {
	std::lock_guard<std::mutex> guard(lock);
	return connection->shaken_hands.count(worker) > 0;
}

void FlightConnections::SetShakenHands(const std::shared_ptr<Connection> &connection, const WorkerId &worker) {
	std::lock_guard<std::mutex> guard(lock);
	connection->shaken_hands.insert(worker);
}

bool FlightConnections::KnowsStage(const std::shared_ptr<Connection> &connection, const std::string &key) {
	std::lock_guard<std::mutex> guard(lock);
	return connection->known_stages.count(key) > 0;
}

void FlightConnections::SetKnowsStage(const std::shared_ptr<Connection> &connection, const std::string &key,
                                      bool knows) {
	std::lock_guard<std::mutex> guard(lock);
	auto &known = connection->known_stages;
	if (!knows) {
		known.erase(key);
		return;
	}
	if (known.size() >= limits::KNOWN_STAGES_MAX) {
		// most of them belong to queries that have ended
		known.clear();
	}
	known.insert(key);
}

flight::FlightCallOptions FlightConnections::CallOptions(uint64_t timeout_ms) const {
	message_order::Sent();
	flight::FlightCallOptions options;
	options.headers.emplace_back(flight_protocol::AUTHORIZATION_HEADER,
	                             flight_protocol::BEARER_PREFIX + settings.token);
	if (timeout_ms > 0) {
		options.timeout = flight::TimeoutDuration(static_cast<double>(timeout_ms) / 1000.0);
	}
	return options;
}

void FlightConnections::Check(const arrow::Status &status, const std::string &peer,
                              const std::shared_ptr<Connection> &connection) {
	message_order::Received();
	if (status.ok()) {
		return;
	}
	Drop(connection);
	flight_protocol::CheckCall(status, peer, settings.token_source,
	                           connection->answered ? std::string() : connection->location);
}

std::string FlightConnections::Call(const std::string &location, const std::string &peer, const std::string &action,
                                    const std::string &request, uint64_t timeout_ms) {
	auto connection = Get(location);
	auto body = arrow::Buffer::FromString(flight_protocol::Pack({request}));
	auto answers = connection->client->DoAction(CallOptions(timeout_ms), flight::Action {action, std::move(body)});
	Check(answers.status(), peer, connection);
	auto answer = (*answers)->Next();
	Check(answer.status(), peer, connection);
	if (!*answer) {
		throw IOException("cannot reach %s: it gave no answer", peer);
	}
	connection->answered = true;
	auto frame = flight_protocol::DecodeFrame(*(*answer)->body);
	if (frame.kind == flight_protocol::FrameKind::ERROR) {
		ThrowTaskError(DecodeMessage<TaskError>(frame.body));
	}
	return frame.body;
}

} // namespace duckherder
