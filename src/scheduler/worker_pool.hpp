#pragma once

#include "common/ids.hpp"

#include <cstdint>
#include <limits>
#include <set>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace duckherder {

//! Number of a worker within one query's pool; names are compared once, at the border.
using WorkerIndex = uint32_t;
constexpr WorkerIndex NO_WORKER = std::numeric_limits<WorkerIndex>::max();

//! The workers of one query: who takes tasks, what they run, which outputs they hold.
class WorkerPool {
public:
	//! A place in the order in which free workers are served
	struct FreeWorker {
		//! Share of the slots in use, in millionths
		uint64_t load;
		//! The largest number minus the free slots, so that more free slots sort first
		uint32_t unfree;
		//! When it was given a task last, in numbers of tasks given
		uint64_t last_given;
		WorkerIndex worker;

		bool operator<(const FreeWorker &other) const {
			return std::tie(load, unfree, last_given, worker) <
			       std::tie(other.load, other.unfree, other.last_given, other.worker);
		}
	};

	//! The number of a name, known or new
	WorkerIndex Intern(const WorkerId &id);
	//! NO_WORKER for a name never seen
	WorkerIndex Find(const WorkerId &id) const;
	const WorkerId &Name(WorkerIndex worker) const;

	void Join(WorkerIndex worker, uint32_t slots);
	void Drain(WorkerIndex worker);
	//! What it ran and held stays listed until taken by the caller
	void Lose(WorkerIndex worker);

	//! Not lost: its outputs can be read
	bool IsPresent(WorkerIndex worker) const;
	//! Takes new tasks
	bool IsActive(WorkerIndex worker) const;
	uint32_t ActiveCount() const;

	void Occupy(WorkerIndex worker, TaskKey task);
	void Release(WorkerIndex worker, TaskKey task);
	const std::set<TaskKey> &Running(WorkerIndex worker) const;
	uint32_t RunningCount() const;
	//! Active workers with a free slot: smallest load first, so that the first tasks spread over all workers; then most
	//! free slots, then the one that has waited longest
	const std::set<FreeWorker> &FreeWorkers() const;

	void AddOutput(WorkerIndex worker, TaskKey task);
	//! All tasks that ever put an output there since the last call; the caller knows which still count
	std::vector<TaskKey> TakeOutputs(WorkerIndex worker);
	size_t Size() const;

private:
	enum class State : uint8_t { UNKNOWN, ACTIVE, DRAINING, LOST };

	struct Worker {
		WorkerId id;
		State state = State::UNKNOWN;
		uint32_t slots = 0;
		uint64_t last_given = 0;
		std::set<TaskKey> running;
		std::vector<TaskKey> outputs;
	};

	bool HasFreeSlot(const Worker &worker) const;
	FreeWorker Place(WorkerIndex worker) const;
	//! Around every change of what Place depends on
	void Unlist(WorkerIndex worker);
	void List(WorkerIndex worker);

	std::unordered_map<WorkerId, WorkerIndex> numbers;
	std::vector<Worker> workers;
	std::set<FreeWorker> free_workers;
	uint32_t active_count = 0;
	uint32_t running_count = 0;
	uint64_t given = 0;
};

} // namespace duckherder
