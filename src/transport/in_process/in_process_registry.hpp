#pragma once

#include "protocol/worker_service.hpp"

#include <map>
#include <memory>
#include <mutex>

namespace duckherder {

//! The location of a worker in this process.
constexpr const char *IN_PROCESS_LOCATION = "inproc";

//! The workers of this process by id. Handed out as they are: a call is a function call, chunks are not copied.
//! Thread-safe; shares ownership of the services.
class InProcessRegistry {
public:
	//! Replaces an earlier service of that id.
	void Register(const WorkerId &id, std::shared_ptr<WorkerService> service);
	void Unregister(const WorkerId &id);
	//! Null if there is none.
	std::shared_ptr<WorkerService> Find(const WorkerId &id) const;

private:
	mutable std::mutex lock;
	std::map<WorkerId, std::shared_ptr<WorkerService>> services;
};

//! Finds workers with the location "inproc" in the registry and leaves all others to `remote`, which may be null.
//! Connect throws IOException if the worker has left the process, or if there is no remote connector.
class LocalFirstConnector : public WorkerConnector {
public:
	LocalFirstConnector(std::shared_ptr<InProcessRegistry> local, std::shared_ptr<WorkerConnector> remote);

	std::shared_ptr<WorkerService> Connect(const WorkerAddress &address) override;
	void GiveUp(const QueryId &query_id, const std::string &location) override;

private:
	std::shared_ptr<InProcessRegistry> local;
	std::shared_ptr<WorkerConnector> remote;
};

} // namespace duckherder
