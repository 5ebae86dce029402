#include "transport/in_process/in_process_registry.hpp"

#include "duckdb/common/exception.hpp"

namespace duckherder {

void InProcessRegistry::Register(const WorkerId &id, std::shared_ptr<WorkerService> service) {
	std::lock_guard<std::mutex> guard(lock);
	// An earlier service ends up in the parameter and is destroyed after the lock: that may take a while.
	std::swap(services[id], service);
}

void InProcessRegistry::Unregister(const WorkerId &id) {
	std::shared_ptr<WorkerService> removed;
	std::lock_guard<std::mutex> guard(lock);
	auto entry = services.find(id);
	if (entry != services.end()) {
		removed = std::move(entry->second);
		services.erase(entry);
	}
}

std::shared_ptr<WorkerService> InProcessRegistry::Find(const WorkerId &id) const {
	std::lock_guard<std::mutex> guard(lock);
	auto entry = services.find(id);
	return entry == services.end() ? nullptr : entry->second;
}

LocalFirstConnector::LocalFirstConnector(std::shared_ptr<InProcessRegistry> local_p,
                                         std::shared_ptr<WorkerConnector> remote_p)
    : local(std::move(local_p)), remote(std::move(remote_p)) {
}

std::shared_ptr<WorkerService> LocalFirstConnector::Connect(const WorkerAddress &address) {
	if (address.location == IN_PROCESS_LOCATION) {
		auto worker = local->Find(address.id);
		if (!worker) {
			throw duckdb::IOException("cannot reach worker %s: it is no longer in this process", address.id);
		}
		return worker;
	}
	if (!remote) {
		throw duckdb::IOException("cannot reach worker %s at %s: this process has no connections to other nodes",
		                          address.id, address.location);
	}
	return remote->Connect(address);
}

void LocalFirstConnector::GiveUp(const QueryId &query_id, const std::string &location) {
	if (remote) {
		remote->GiveUp(query_id, location);
	}
}

} // namespace duckherder
