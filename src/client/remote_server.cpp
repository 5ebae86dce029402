#include "client/remote_server.hpp"

#include "common/limits.hpp"

#include "duckdb/main/client_context.hpp"

#include <chrono>

namespace duckherder {

using namespace duckdb;

RemoteServer::RemoteServer(std::shared_ptr<DatabaseService> service_p, std::string location_p, SessionRequest request_p)
    : service(std::move(service_p)), location(std::move(location_p)), request(std::move(request_p)) {
	request.wants_functions = true;
	info = service->OpenSession(request);
	request.wants_functions = false;
	// all sessions are to see the same database, whatever is the driver's main one later
	request.database = info.database;
	functions.insert(info.functions.begin(), info.functions.end());
	info.functions.clear();
	open.insert(info.id);
	idle.push_back({info.id, info.driver_instance});
	thread = std::thread([this] { Run(); });
}

RemoteServer::~RemoteServer() {
	{
		std::lock_guard<std::mutex> guard(lock);
		stopping = true;
	}
	wake.notify_all();
	thread.join();
	for (auto &session : open) {
		try {
			service->CloseSession(session);
		} catch (std::exception &) {
			// a driver that is gone has none
			break;
		}
	}
}

RemoteServer::Session RemoteServer::Take() {
	{
		std::lock_guard<std::mutex> guard(lock);
		if (!idle.empty()) {
			auto session = std::move(idle.back());
			idle.pop_back();
			return session;
		}
	}
	return TakeNew();
}

RemoteServer::Session RemoteServer::TakeNew() {
	auto opened = service->OpenSession(request);
	std::lock_guard<std::mutex> guard(lock);
	open.insert(opened.id);
	return {opened.id, opened.driver_instance};
}

void RemoteServer::Give(Session session, bool clean) {
	{
		std::lock_guard<std::mutex> guard(lock);
		if (clean && idle.size() < limits::IDLE_SESSIONS_MAX) {
			idle.push_back(std::move(session));
			return;
		}
		open.erase(session.id);
	}
	try {
		service->CloseSession(session.id);
	} catch (std::exception &) {
		// then its lease ends
	}
}

RemoteServer::Watched::Watched(RemoteServer &server_p, ClientContext &context_p, std::shared_ptr<ChunkSource> source_p)
    : server(server_p), context(context_p), source(std::move(source_p)) {
	std::lock_guard<std::mutex> guard(server.lock);
	place = server.watched.insert(server.watched.end(), this);
	server.wake.notify_all();
}

RemoteServer::Watched::~Watched() {
	std::lock_guard<std::mutex> guard(server.lock);
	server.watched.erase(place);
}

RemoteServer::Rows::Rows(RemoteServer &server, ClientContext &context, const std::shared_ptr<ChunkSource> &source)
    : watched(server, context, source), reader(source->OpenReader()) {
}

void RemoteServer::Run() {
	SteadyClock clock;
	auto renewed = clock.NowMs();
	std::unique_lock<std::mutex> guard(lock);
	while (!stopping) {
		auto wait = watched.empty() ? limits::SESSION_RENEW_INTERVAL_MS : limits::WAIT_SLICE_MS;
		wake.wait_for(guard, std::chrono::milliseconds(wait));
		for (auto *entry : watched) {
			if (entry->context.interrupted) {
				entry->source->Cancel();
			}
		}
		auto now = clock.NowMs();
		if (stopping || now - renewed < limits::SESSION_RENEW_INTERVAL_MS) {
			continue;
		}
		renewed = now;
		std::vector<SessionId> sessions(open.begin(), open.end());
		guard.unlock();
		try {
			service->KeepSessions(sessions);
		} catch (std::exception &) {
			// whoever uses one will be told
		}
		guard.lock();
	}
}

} // namespace duckherder
