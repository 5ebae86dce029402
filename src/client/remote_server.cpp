#include "client/remote_server.hpp"

#include "common/limits.hpp"

#include "duckdb/main/client_context.hpp"

#include <algorithm>
#include <chrono>

namespace duckherder {

using namespace duckdb;

RemoteServer::RemoteServer(std::shared_ptr<DatabaseService> service_p, std::string location_p, SessionRequest request_p)
    : service(std::move(service_p)), location(std::move(location_p)), request(std::move(request_p)) {
	request.wants_functions = true;
	info = service->OpenSession(request, Role::READ);
	request.wants_functions = false;
	// all sessions are to see the same database, whatever is the driver's main one later
	request.database = info.database;
	functions.insert(info.functions.begin(), info.functions.end());
	info.functions.clear();
	open.insert(info.id);
	idle.push_back({info.id, info.driver_instance});
	watch = std::thread([this] { WatchInterrupts(); });
	keeper = std::thread([this] { RenewSessions(); });
}

RemoteServer::~RemoteServer() {
	{
		std::lock_guard<std::mutex> guard(lock);
		stopping = true;
	}
	wake.notify_all();
	watch.join();
	keeper.join();
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
	auto opened = service->OpenSession(request, Role::READ);
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

RemoteServer::Watched::Watched(RemoteServer &server_p, ClientContext &context_p, SessionId session_p,
                               std::shared_ptr<ChunkSource> source_p)
    : server(server_p), context(context_p), session(std::move(session_p)), source(std::move(source_p)) {
	std::lock_guard<std::mutex> guard(server.lock);
	if (server.watched.empty()) {
		server.watching_since = server.clock.NowMs();
	}
	place = server.watched.insert(server.watched.end(), this);
	server.wake.notify_all();
}

RemoteServer::Watched::~Watched() {
	std::lock_guard<std::mutex> guard(server.lock);
	server.watched.erase(place);
}

RemoteServer::Rows::Rows(RemoteServer &server, ClientContext &context, const SessionId &session,
                         std::shared_ptr<ChunkSource> source_p)
    : source(std::move(source_p)), watched(server, context, session, source) {
}

std::unique_ptr<ChunkReader> RemoteServer::Rows::OpenReader() {
	return source->OpenReader();
}

void RemoteServer::Rows::ForEach(const duckdb::vector<LogicalType> &types,
                                 const std::function<void(DataChunk &)> &visit) {
	auto reader = OpenReader();
	DataChunk chunk;
	chunk.Initialize(Allocator::DefaultAllocator(), types);
	while (true) {
		chunk.Reset();
		reader->Next(chunk);
		if (chunk.size() == 0) {
			return;
		}
		visit(chunk);
	}
}

void RemoteServer::WatchInterrupts() {
	std::unique_lock<std::mutex> guard(lock);
	while (!stopping) {
		if (watched.empty()) {
			wake.wait(guard, [&] { return stopping || !watched.empty(); });
		} else {
			wake.wait_for(guard, std::chrono::milliseconds(limits::WAIT_SLICE_MS));
		}
		for (auto *entry : watched) {
			if (entry->context.IsInterrupted()) {
				entry->source->Cancel();
			}
		}
	}
}

void RemoteServer::RenewSessions() {
	auto renewed = clock.NowMs();
	std::unique_lock<std::mutex> guard(lock);
	while (!stopping) {
		auto due = renewed + limits::SESSION_RENEW_INTERVAL_MS;
		if (!watched.empty()) {
			due = std::min(due, std::max(renewed, watching_since) + limits::PROGRESS_INTERVAL_MS);
		}
		auto now = clock.NowMs();
		if (now < due) {
			wake.wait_for(guard, std::chrono::milliseconds(due - now));
			continue;
		}
		std::vector<SessionId> sessions(open.begin(), open.end());
		guard.unlock();
		std::vector<double> progress;
		try {
			progress = service->RenewSessions(sessions);
		} catch (std::exception &) {
			// whoever uses one will be told
		}
		guard.lock();
		for (size_t i = 0; i < progress.size(); i++) {
			for (auto *entry : watched) {
				if (entry->session == sessions[i]) {
					entry->progress = std::min(std::max(progress[i], 0.0), 100.0);
				}
			}
		}
		renewed = clock.NowMs();
	}
}

} // namespace duckherder
