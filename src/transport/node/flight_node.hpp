#pragma once

#include "common/limits.hpp"
#include "protocol/database_service.hpp"
#include "protocol/driver_service.hpp"
#include "protocol/worker_service.hpp"
#include "transport/credentials/access.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace duckherder {

struct FlightNodeOptions {
	std::string host = "127.0.0.1";
	//! What others call this machine; empty: `host`, or the machine's name if that is a wildcard
	std::string advertised_host;
	//! And its port, where another one is forwarded; 0: the one that is listened at
	uint16_t advertised_port = 0;
	//! 0 takes a free one
	uint16_t port = 0;
	//! Every call must bring it
	std::string token;
	//! Further tokens, which may do less
	std::vector<ClientToken> client_tokens;
	//! How long the first call with a wrong token waits for its refusal; doubles with each further one of its address
	uint64_t login_wait_ms = limits::LOGIN_WAIT_MS;
	//! PEM texts; both or neither
	std::string tls_certificate;
	std::string tls_key;
	//! PEM text of the authority whose certificates clients have to show; empty: they need none
	std::string tls_client_authority;
	//! A transaction of a Flight SQL client waits so long for its next statement
	uint64_t transaction_idle_ms = limits::FLIGHT_SQL_IDLE_DEFAULT_MS;
	//! The operator takes the risk of listening beyond loopback without TLS
	bool insecure = false;
};

//! A port on which workers and at most one driver of this process can be called. All methods are thread-safe.
//! Every call is authenticated by its token before any of it is decoded; running tasks and reading their outputs is for
//! those with the cluster's own token.
//!
//! How a task travels, as one DoExchange: the client sends the request, the node says that it has taken the task, or
//! refuses it; then the batches of the feed if there is one, once the task reads it, and the feed's end marker with its
//! row count; the node answers with one message, the TaskResult, and the client hangs up. What the tasks of a stage
//! have in common is only sent with the first of them (KnownStages). A client that hangs up earlier has gone: its
//! attempt is stopped (AttemptControl, and Cancel on the feed). How an output travels, as one DoGet: batches, then an
//! end marker with the row count, or the error that ended it.
class FlightNode {
public:
	explicit FlightNode(FlightNodeOptions options);
	//! Stops
	~FlightNode();

	//! Listens, and returns the location: "grpc://host:port", or "grpc+tls://host:port". Once per node.
	//! Throws InvalidInputException if that would be unsafe (an empty token; a host beyond loopback without TLS and
	//! `insecure`), IOException if the port is taken.
	std::string Start();
	//! Refuses new calls, cancels the queries of running tasks, and waits for them for a bounded time. Idempotent.
	void Stop();

	//! Before or after Start. A worker that is removed while it runs tasks finishes them.
	void AddWorker(const WorkerId &id, std::shared_ptr<WorkerService> worker);
	void RemoveWorker(const WorkerId &id);
	//! Null takes it away
	void SetDriver(std::shared_ptr<DriverService> driver);
	//! What clients attach here
	void SetDatabase(std::shared_ptr<DatabaseService> database);

	//! After Start
	std::string Location() const;
	uint16_t Port() const;

private:
	class Server;
	FlightNodeOptions options;
	//! Between Start and Stop
	std::atomic<bool> started {false};
	//! Shared with the thread that shuts it down, which Stop does not await forever
	std::shared_ptr<Server> server;
};

} // namespace duckherder
