#pragma once

#include "common/clock.hpp"
#include "protocol/database_service.hpp"

#include "duckdb.hpp"

#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_set>

namespace duckherder {

//! One attached driver: its service, and our sessions there. While sessions are open a thread of its own tells the
//! driver that we live, and ends results whose query was interrupted. Thread-safe.
class RemoteServer {
public:
	//! Opens the first session, so that a wrong address, token or version is an error here.
	RemoteServer(std::shared_ptr<DatabaseService> service, std::string location, SessionRequest request);
	~RemoteServer();

	const std::shared_ptr<DatabaseService> service;
	//! For people
	const std::string location;

	//! Of the first session; `id` means nothing
	const SessionInfo &Info() const {
		return info;
	}
	bool HasFunction(const std::string &name) const {
		return functions.count(name) > 0;
	}

	//! A session that is ours until it is given back. The instance is the one that it belongs to.
	struct Session {
		SessionId id;
		std::string driver_instance;
	};
	Session Take();
	//! One that was just opened
	Session TakeNew();
	//! `clean`: no transaction runs in it; others are closed
	void Give(Session session, bool clean);

	//! As long as it lives `source` is cancelled when the query of `context` is interrupted
	class Watched {
	public:
		Watched(RemoteServer &server, duckdb::ClientContext &context, std::shared_ptr<ChunkSource> source);
		~Watched();
		Watched(const Watched &) = delete;
		Watched &operator=(const Watched &) = delete;

	private:
		friend class RemoteServer;
		RemoteServer &server;
		duckdb::ClientContext &context;
		std::shared_ptr<ChunkSource> source;
		std::list<Watched *>::iterator place;
	};

	//! The rows of a statement that runs there, as long as its query here is not interrupted. Used by one thread.
	class Rows {
	public:
		Rows(RemoteServer &server, duckdb::ClientContext &context, const std::shared_ptr<ChunkSource> &source);
		//! Leaves the chunk empty at the end
		void Next(duckdb::DataChunk &chunk) {
			reader->Next(chunk);
		}

	private:
		Watched watched;
		std::unique_ptr<ChunkReader> reader;
	};

private:
	void Run();

	SessionRequest request;
	SessionInfo info;
	std::unordered_set<std::string> functions;
	std::mutex lock;
	std::condition_variable wake;
	std::set<SessionId> open;
	std::vector<Session> idle;
	std::list<Watched *> watched;
	bool stopping = false;
	std::thread thread;
};

} // namespace duckherder
