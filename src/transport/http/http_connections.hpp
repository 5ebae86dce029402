#pragma once

#include "common/clock.hpp"
#include "common/mutex.hpp"
#include "transport/http/tls.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace duckherder {

//! A whole request, and the connection on which its answer goes. Used by one thread.
struct HttpCall {
	int socket;
	//! The bytes of the request
	std::string message;
	//! Without a port
	std::string peer;
	//! Null: the connection is not encrypted
	TlsSession *tls = nullptr;
};

//! The connections of an HTTP server. One thread waits for all of them and collects requests, so that clients that are
//! silent or slow cost memory (bounded by HTTP_RECEIVED_BYTES_MAX) but no threads; whole requests go to a pool of
//! HTTP_THREADS. A connection has one request at a time. Thread-safe.
class HttpConnections {
public:
	//! Answers a request, within HTTP_WRITE_MS for each piece that is written. Says whether the connection stays open.
	//! Each thread of the pool has a copy, by which it keeps alive what it needs, this object included.
	using Serve = std::function<bool(HttpCall &call)>;

	HttpConnections() = default;
	~HttpConnections();

	//! Listens; once. Port 0 takes a free one. With `tls` clients have to speak TLS. Throws IOException that says why
	//! not.
	void Start(const std::string &host, uint16_t port, std::shared_ptr<const TlsContext> tls, Serve serve);
	//! Closes all connections, also those of answers without an end, and waits for the pool; not for the calling
	//! thread, if it is one of the pool. Idempotent.
	void Stop();
	//! After Start
	uint16_t Port() const {
		return port;
	}

	//! Whoever answers a request says that the answer has no end, so that another thread takes its place in the pool.
	//! False if there are too many of those.
	bool BeginStream();
	void EndStream();

private:
	struct Connection {
		int socket = -1;
		std::string peer;
		std::string received;
		//! Null: it is not encrypted
		std::shared_ptr<TlsSession> tls;
		//! Its first bytes were those of TLS
		bool speaks_tls = false;
		//! When it was last heard, or its answer was done; and when the request began that has come in part
		TimeMs heard = 0;
		TimeMs request_began = 0;
	};
	using Connections = std::list<Connection>;

	//! The thread that waits
	void Watch();
	void Accept();
	//! Reads what is there. False: the connection has ended
	bool Receive(Connection &connection);
	//! The same for the bytes of a connection that is encrypted
	static bool Decrypt(Connection &connection, const char *bytes, size_t size);
	//! If it has a whole request, the connection goes to the pool. False: it has ended
	bool Dispatch(Connections::iterator connection);
	//! Takes back the connections whose answers are done
	void TakeReturned();
	void CloseLate();
	void Close(Connections::iterator connection);
	void CloseAll(Connections &connections);
	void Wake();

	//! The threads of the pool
	void Work();
	void AddThread() REQUIRES(lock);

	Serve serve;
	std::shared_ptr<const TlsContext> tls;
	SteadyClock clock;
	uint16_t port = 0;
	int listening = -1;
	//! An eventfd, by which other threads end the waiting
	int wake = -1;
	std::thread watch;
	//! Of the thread that waits: those whose requests have not come, by the time when they were last heard
	Connections waiting;
	uint64_t received_bytes = 0;

	Mutex lock;
	Condition changed;
	bool stopping GUARDED_BY(lock) = false;
	//! With a whole request, in the order in which they came
	Connections requested GUARDED_BY(lock);
	Connections answering GUARDED_BY(lock);
	Connections returned GUARDED_BY(lock);
	uint32_t streams GUARDED_BY(lock) = 0;
	std::vector<std::thread> threads GUARDED_BY(lock);
};

} // namespace duckherder
