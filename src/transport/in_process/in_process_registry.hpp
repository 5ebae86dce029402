#pragma once

#include "protocol/worker_service.hpp"

#include <map>
#include <memory>
#include <mutex>

namespace duckherder {

//! Workers of this process by id
class InProcessRegistry {
public:
	void Register(const WorkerId &id, std::shared_ptr<WorkerService> service) {
		std::lock_guard<std::mutex> guard(lock);
		services[id] = std::move(service);
	}
	void Unregister(const WorkerId &id) {
		std::lock_guard<std::mutex> guard(lock);
		services.erase(id);
	}
	std::shared_ptr<WorkerService> Find(const WorkerId &id) {
		std::lock_guard<std::mutex> guard(lock);
		auto entry = services.find(id);
		return entry == services.end() ? nullptr : entry->second;
	}

private:
	std::mutex lock;
	std::map<WorkerId, std::shared_ptr<WorkerService>> services;
};

} // namespace duckherder
