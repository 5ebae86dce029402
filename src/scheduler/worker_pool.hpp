#pragma once

#include "common/ids.hpp"

#include <cstdint>
#include <limits>
#include <set>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace duckherder {

//! The number of a worker within one query's pool. Names are compared once, at the border.
using WorkerIndex = uint32_t;
constexpr WorkerIndex NO_WORKER = std::numeric_limits<WorkerIndex>::max();

//! The workers of one query. The pool knows who takes tasks, what they run, and which outputs they hold.
class WorkerPool {
public:
	//! A position in the order in which free workers are served.
	struct FreeWorker {
		//! This share of the slots is in use, in millionths.
		uint64_t load;
		//! This is the largest number minus the free slots, so that more free slots sort first.
		uint32_t unfree;
		//! The worker was given a task last at this position in the sequence of tasks given.
		uint64_t last_given;
		WorkerIndex worker;

		bool operator<(const FreeWorker &other) const {
			return std::tie(load, unfree, last_given, worker) <
			       std::tie(other.load, other.unfree, other.last_given, other.worker);
		}
	};

	//! Returns the number of a name, known or new.
	WorkerIndex Intern(const WorkerId &id);
	//! Returns NO_WORKER for a name never seen.
	WorkerIndex Find(const WorkerId &id) const;
	const WorkerId &Name(WorkerIndex worker) const;

	void Join(WorkerIndex worker, uint32_t slots);
	void Drain(WorkerIndex worker);
	//! What the worker ran and held stays listed until the caller takes it.
	void Lose(WorkerIndex worker);

	//! Says whether the worker is not lost: its outputs can be read.
	bool IsPresent(WorkerIndex worker) const;
	//! Says whether the worker takes new tasks.
	bool IsActive(WorkerIndex worker) const;
	uint32_t ActiveCount() const;

	void Occupy(WorkerIndex worker, TaskKey task);
	void Release(WorkerIndex worker, TaskKey task);
	const std::set<TaskKey> &Running(WorkerIndex worker) const;
	uint32_t RunningCount() const;
	//! Returns the active workers with a free slot. The smallest load comes first, so that the first tasks spread over
	//! all workers, then most free slots, then the one that has waited longest.
	const std::set<FreeWorker> &FreeWorkers() const;

	void AddOutput(WorkerIndex worker, TaskKey task);
	//! Returns all tasks that put an output there since the last call. The caller knows which still count.
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
	//! Both are called around every change of what Place depends on.
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
