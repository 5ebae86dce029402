#pragma once

#include "common/clock.hpp"
#include "protocol/database_service.hpp"

#include "duckdb.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_set>

namespace duckherder {

//! One attached driver: its service, and our sessions there. One thread ends results whose query was interrupted,
//! another one tells the driver that we live, and hears how far our statements are: it may have to wait. Thread-safe.
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

	//! As long as it lives `source` is cancelled when the query of `context` is interrupted, and the progress of the
	//! statement that runs in the session is known.
	class Watched {
	public:
		Watched(RemoteServer &server, duckdb::ClientContext &context, SessionId session,
		        std::shared_ptr<ChunkSource> source);
		~Watched();
		Watched(const Watched &) = delete;
		Watched &operator=(const Watched &) = delete;

		//! In percent, as the driver said last
		double Progress() const {
			return progress;
		}

	private:
		friend class RemoteServer;
		RemoteServer &server;
		duckdb::ClientContext &context;
		const SessionId session;
		std::shared_ptr<ChunkSource> source;
		std::atomic<double> progress {0};
		std::list<Watched *>::iterator place;
	};

	//! The rows of a statement that runs there, as long as its query here is not interrupted. Thread-safe.
	class Rows {
	public:
		Rows(RemoteServer &server, duckdb::ClientContext &context, const SessionId &session,
		     std::shared_ptr<ChunkSource> source);
		//! It may outlive this
		std::unique_ptr<ChunkReader> OpenReader();
		duckdb::idx_t MaxReaders() const {
			return source->MaxReaders();
		}
		//! All, which have these types, for whoever is their only reader
		void ForEach(const duckdb::vector<duckdb::LogicalType> &types,
		             const std::function<void(duckdb::DataChunk &)> &visit);
		//! In percent
		double Progress() const {
			return watched.Progress();
		}

	private:
		const std::shared_ptr<ChunkSource> source;
		Watched watched;
	};

private:
	void WatchInterrupts();
	void RenewSessions();

	SessionRequest request;
	SessionInfo info;
	std::unordered_set<std::string> functions;
	std::mutex lock;
	std::condition_variable wake;
	std::set<SessionId> open;
	std::vector<Session> idle;
	std::list<Watched *> watched;
	//! When there was none before
	TimeMs watching_since = 0;
	const SteadyClock clock;
	bool stopping = false;
	std::thread watch;
	std::thread keeper;
};

} // namespace duckherder
