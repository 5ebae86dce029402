#pragma once

#include "cluster/cluster.hpp"
#include "coordinator/dispatch_pool.hpp"
#include "coordinator/measured_costs.hpp"
#include "history/query_recorder.hpp"
#include "protocol/worker_service.hpp"
#include "scheduler/affinity_map.hpp"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace duckherder {

//! What a session gives its coordinators; everything outlives them.
struct CoordinatorServices {
	std::shared_ptr<Clock> clock;
	std::shared_ptr<Cluster> cluster;
	std::shared_ptr<WorkerConnector> connector;
	std::shared_ptr<DispatchPool> pool;
	std::shared_ptr<AffinityMap> affinity;
	std::shared_ptr<QueryRecorder> recorder;
	//! Null: nobody asks what queries have cost
	std::shared_ptr<MeasuredCosts> costs;
	//! Brings the cluster's list up to date if others keep it; may wait for the network, does not throw. Does nothing
	//! if that was done within the last heartbeat interval, or, `at_once`, just now
	std::function<void(bool at_once)> refresh_workers;
};

//! The settings of a session that matter while a query runs
struct CoordinatorOptions {
	uint32_t task_retries = limits::TASK_RETRIES_DEFAULT;
	bool speculate = true;
	//! 0: none
	uint64_t query_timeout_ms = 0;
	bool trace = false;
	std::vector<std::pair<std::string, std::string>> result_settings;
};

} // namespace duckherder
