#pragma once

#include "coordinator/coordinator_services.hpp"
#include "scheduler/scheduler_types.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace duckherder {

//! Knows the workers of one query: who came, left, takes no more tasks or may be gone, and which of them keep its
//! outputs. What it finds out it reports as events of the scheduler.
//!
//! Not thread-safe: its owner calls it with a lock held, and `report` is called under that lock. Whatever waits for the
//! network runs on the pool, refers to none of this, and calls `answered` without a lock.
class WorkerWatch {
public:
	using Report = std::function<void(const SchedulerEvent &)>;
	//! What a suspected worker said; nothing if it could not be reached
	using Answered = std::function<void(const WorkerId &, const std::optional<WorkerInfo> &)>;

	WorkerWatch(QueryId query, const CoordinatorServices &services, Report report, Answered answered);

	//! Lists the workers that are active now.
	void Begin();
	//! Reports them: each takes that many tasks at a time.
	void Join(uint32_t tasks_per_worker);
	//! All that the query has ever heard of, also those that are lost
	const std::vector<WorkerInfo> &Workers() const {
		return workers;
	}
	//! Throws InternalException for a worker that the query has never heard of.
	const WorkerAddress &AddressOf(const WorkerId &id) const;
	//! As last heard of, by this query; throws likewise.
	const std::string &IncarnationOf(const WorkerId &id) const;
	//! The worker gets a task, and keeps outputs from now on.
	void Use(const WorkerId &id) {
		used_workers.insert(id);
	}
	//! Where tasks of the query have run
	std::vector<WorkerAddress> Used() const;

	//! Renews leases and asks suspected workers, as far as it is time for that. Does not wait.
	void Tick();
	//! Whether it is time to call NoteMembers with the cluster's list, which is brought up to date for the next time.
	bool WantsMembers();
	void NoteMembers(const std::vector<WorkerInfo> &members);
	//! What a failed attempt says of workers, before the scheduler is told of it
	void NoteFailure(const WorkerId &worker, const TaskError &error);
	//! After `answered`
	void NoteAnswer(const WorkerId &id, const std::optional<WorkerInfo> &answer);
	void Lose(const WorkerId &id, const std::string &reason);
	//! The worker may be gone: it gets no tasks until it has answered.
	void Suspect(const WorkerId &id);
	//! The query needs nothing more: no more questions.
	void Stop() {
		stopped = true;
	}

private:
	//! A worker that may be gone: whether it is there is found out while it gets no tasks
	struct SuspectedWorker {
		TimeMs since = 0;
		TimeMs next_look = 0;
		//! It is being asked
		bool looking = false;
	};

	void NoteMember(const WorkerInfo &member);
	void Drain(const WorkerId &id);
	void JoinAgain(const WorkerId &id);
	//! Another process or database than before
	void Replace(WorkerInfo &known, const WorkerInfo &now, const std::string &reason);
	void LookAfterSuspects();
	//! The workers that this query has used keep its outputs, and give up what lies on lost ones.
	void RenewLeases();
	//! Null if this query never heard of it
	WorkerInfo *Find(const WorkerId &id);
	//! Throws InternalException for a worker that the query has never heard of.
	const WorkerInfo &InfoOf(const WorkerId &id) const;

	const QueryId query;
	const CoordinatorServices &services;
	const Report report;
	const Answered answered;
	std::vector<WorkerInfo> workers;
	uint32_t tasks_per_worker = 1;
	bool stopped = false;
	std::set<WorkerId> used_workers;
	std::set<WorkerId> lost_workers;
	std::set<WorkerId> draining_workers;
	std::map<WorkerId, SuspectedWorker> suspects;
	//! Incarnations that others have taken the place of
	std::set<std::string> former_incarnations;
	TimeMs last_member_check = 0;
	TimeMs last_renewal = 0;
	//! By worker: a renewal is on its way
	std::map<WorkerId, std::shared_ptr<std::atomic<bool>>> renewing;
	std::shared_ptr<std::atomic<bool>> refreshing = std::make_shared<std::atomic<bool>>(false);
};

} // namespace duckherder
