#pragma once

#include "common/clock.hpp"
#include "common/mutex.hpp"
#include "cluster/admission.hpp"
#include "protocol/driver_service.hpp"
#include "protocol/worker_service.hpp"

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace duckherder {

//! The workers of one driver. Thread-safe; never calls out while it holds its lock.
class Cluster : public DriverService {
public:
	explicit Cluster(std::shared_ptr<Clock> clock, AdmissionLimits limits = AdmissionLimits());

	//! From a worker that will send heartbeats.
	void RegisterWorker(const WorkerInfo &info) override;
	bool Heartbeat(const WorkerInfo &info) override;
	void UnregisterWorker(const WorkerId &id, const std::string &incarnation) override;
	//! In order of registration; those whose heartbeats stopped as LOST.
	std::vector<WorkerInfo> ListWorkers() override;
	bool AdmitQuery(const QueryId &query, const std::string &session, uint64_t wait_ms) override;
	std::vector<QueryId> RenewLeases(const std::vector<QueryId> &queries) override;
	void ReleaseQuery(const QueryId &query) override;
	void ReportQueries(const std::vector<QueryReport> &queries) override;

	void SetAdmissionLimits(AdmissionLimits limits);
	//! Who is told what sessions report; before others know the cluster. Called by any thread
	void OnReport(std::function<void(const QueryReport &)> take);
	//! Lets the session whose query it is end it when it renews its lease. False: no such query has a place or waits.
	bool KillQuery(const QueryId &query);
	//! Queries of this driver and of sessions that borrow its workers: those that run, and those that wait
	uint32_t RunningQueries();
	uint32_t QueuedQueries();
	//! A query begins or ends to wait for the first worker. It counts as queued meanwhile, so that whoever starts
	//! workers for those that wait sees it.
	void NoteAwaitingWorkers(bool awaits);
	//! A worker that does not send heartbeats: in this process, or named by the user. Throws as RegisterWorker does,
	//! and if the id is taken.
	void AddWorker(const WorkerInfo &info);
	//! Says whether it was there.
	bool RemoveWorker(const WorkerId &id);
	//! The database of that incarnation of a worker is invalid: it takes no tasks, and shows as LOST, until another one
	//! is known.
	void NoteBroken(const WorkerId &id, const std::string &incarnation);
	//! What a worker has answered that does not send heartbeats; nothing for others, or if it is gone from the list
	void NoteAnswer(const WorkerInfo &info);
	//! Takes over the list of another driver: its workers replace those taken over before.
	void ReplaceBorrowed(const std::vector<WorkerInfo> &workers);
	//! Those that take tasks now.
	std::vector<WorkerInfo> ActiveWorkers();

private:
	enum class Origin { SELF_REGISTERED, ADDED, BORROWED };
	struct Member {
		WorkerInfo info;
		Origin origin;
		TimeMs last_heartbeat;
		uint64_t sequence;
		//! Processes that had this id at this address before, and have not gone for all that we know
		std::set<std::string> replaced;
	};

	void CheckCompatible(const WorkerInfo &info) const;
	//! Throws if another process that lives has the id
	void CheckIdIsFree(const WorkerInfo &info) const REQUIRES(lock);
	bool IsLost(const Member &member) const;
	void Put(const WorkerInfo &info, Origin origin) REQUIRES(lock);

	std::shared_ptr<Clock> clock;
	Admission admission;
	std::function<void(const QueryReport &)> take_report;
	std::atomic<uint32_t> awaiting_workers {0};
	Mutex lock;
	std::map<WorkerId, Member> members GUARDED_BY(lock);
	//! Incarnations whose databases are invalid, the latest last
	std::deque<std::string> broken GUARDED_BY(lock);
	uint64_t next_sequence GUARDED_BY(lock) = 0;
};

} // namespace duckherder
