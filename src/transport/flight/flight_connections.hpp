#pragma once

#include "common/ids.hpp"
#include "transport/flight/actions.hpp"
#include "transport/flight/flight_connector.hpp"
#include "wire/messages.hpp"

#include <arrow/flight/client.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <type_traits>

namespace duckherder {

//! Ends calls whose other side has been silent for KEEPALIVE_TIMEOUT_MS: a machine that vanished closes no connection.
//! gRPC's own pings do not serve: its servers take more than two of them without data for an attack. Thread-safe.
class CallWatch {
public:
	~CallWatch();

	//! Around one blocking read. `cancel` must not block; it is not called after the destructor began.
	class Wait {
	public:
		Wait(CallWatch &watch, std::function<void()> cancel);
		~Wait();
		Wait(const Wait &) = delete;
		Wait &operator=(const Wait &) = delete;

	private:
		friend class CallWatch;
		CallWatch &watch;
		std::function<void()> cancel;
		std::chrono::steady_clock::time_point deadline;
		std::list<Wait *>::iterator place;
	};

private:
	void Run();

	std::mutex lock;
	std::condition_variable wake;
	//! Oldest first, which is the order of the deadlines
	std::list<Wait *> waits;
	std::thread thread;
	bool stopping = false;
};

//! Our ends of the calls that run for queries, so that they can be cut when the other side does not answer.
//! Thread-safe.
class OngoingCalls {
public:
	//! As long as a call runs. `what` tells a query's calls apart, empty if nobody has to. `cancel` must not block; it
	//! is not called after the destructor began.
	class Entry {
	public:
		Entry(OngoingCalls &calls, const std::string &location, const QueryId &query, std::string what,
		      std::function<void()> cancel);
		~Entry();
		Entry(const Entry &) = delete;
		Entry &operator=(const Entry &) = delete;

	private:
		friend class OngoingCalls;
		using Key = std::pair<std::string, QueryId>;
		OngoingCalls &calls;
		const std::string what;
		std::function<void()> cancel;
		std::multimap<Key, Entry *>::iterator place;
	};

	//! All calls of the query there, or only that one
	void Cut(const std::string &location, const QueryId &query, const std::string &what = "");

private:
	std::mutex lock;
	std::multimap<Entry::Key, Entry *> entries;
};

//! The connections of a process with one token, by location. Thread-safe.
class FlightConnections {
public:
	struct Connection {
		std::string location;
		std::unique_ptr<arrow::flight::FlightClient> client;
		//! Workers behind it whose versions were found to be ours; under FlightConnections::lock
		std::set<WorkerId> shaken_hands;
		//! Stages that the node was sent, by KnownStages::Key; under FlightConnections::lock
		std::set<std::string> known_stages;
		//! An action was answered: the other side speaks as we do
		std::atomic<bool> answered {false};
	};

	explicit FlightConnections(FlightClientSettings settings);

	//! Made when needed; the network is first used by a call. Throws InvalidInputException for a bad location.
	std::shared_ptr<Connection> Get(const std::string &location);
	//! The next Get makes another one
	void Drop(const std::shared_ptr<Connection> &connection);
	bool HasShakenHands(const std::shared_ptr<Connection> &connection, const WorkerId &worker);
	void SetShakenHands(const std::shared_ptr<Connection> &connection, const WorkerId &worker);
	//! Whether the node probably knows the stage. It may have forgotten it.
	bool KnowsStage(const std::shared_ptr<Connection> &connection, const std::string &key);
	void SetKnowsStage(const std::shared_ptr<Connection> &connection, const std::string &key, bool knows);

	//! With the token; 0 is no time limit
	arrow::flight::FlightCallOptions CallOptions(uint64_t timeout_ms) const;
	//! One action and its reply. `peer` is what errors call the other side. Throws its error, or IOException.
	template <class REQUEST, class REPLY>
	REPLY Call(const std::string &location, const std::string &peer, const Action<REQUEST, REPLY> &action,
	           const std::type_identity_t<REQUEST> &request, uint64_t timeout_ms) {
		return DecodeMessage<REPLY>(Call(location, peer, action.name, EncodeMessage(request), timeout_ms));
	}
	//! As CheckCall; a broken connection is dropped first
	void Check(const arrow::Status &status, const std::string &peer, const std::shared_ptr<Connection> &connection);

	CallWatch watch;
	OngoingCalls calls;

private:
	std::string Call(const std::string &location, const std::string &peer, const std::string &action,
	                 const std::string &request, uint64_t timeout_ms);

	const FlightClientSettings settings;
	std::mutex lock;
	std::map<std::string, std::shared_ptr<Connection>> connections;
};

} // namespace duckherder
