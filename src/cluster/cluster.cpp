#include "cluster/cluster.hpp"

#include "common/limits.hpp"

#include "duckdb.hpp"
#include "duckdb/common/exception.hpp"
#include "duckdb/common/string_util.hpp"

#include <algorithm>

namespace duckherder {

using duckdb::InvalidInputException;

namespace {

[[noreturn]] void ThrowIdTaken(const WorkerAddress &holder, const WorkerAddress &other, const char *what_to_do) {
	duckdb::unordered_map<std::string, std::string> kind {{REFUSAL_FIELD, ID_TAKEN}};
	throw InvalidInputException(
	    kind, duckdb::StringUtil::Format("There is a worker %s already: it is reached at %s, and another process that "
	                                     "is reached at %s registers with the same id. %s",
	                                     holder.id, holder.location, other.location, what_to_do));
}

} // namespace

Cluster::Cluster(std::shared_ptr<Clock> clock_p, AdmissionLimits limits)
    : clock(std::move(clock_p)), admission(clock, limits) {
}

bool Cluster::AdmitQuery(const QueryId &query, const std::string &session, uint64_t wait_ms) {
	return admission.Admit(query, session, wait_ms);
}

void Cluster::OnReport(std::function<void(const QueryReport &)> take) {
	take_report = std::move(take);
}

void Cluster::ReportQueries(const std::vector<QueryReport> &queries) {
	for (auto &query : queries) {
		if (take_report) {
			take_report(query);
		}
	}
}

uint32_t Cluster::RunningQueries() {
	return admission.RunningCount();
}

uint32_t Cluster::QueuedQueries() {
	return admission.QueuedCount() + awaiting_workers;
}

void Cluster::NoteAwaitingWorkers(bool awaits) {
	awaiting_workers += awaits ? 1 : -1;
}

void Cluster::SetAdmissionLimits(AdmissionLimits limits) {
	admission.SetLimits(limits);
}

std::vector<QueryId> Cluster::RenewLeases(const std::vector<QueryId> &queries) {
	std::vector<QueryId> killed;
	for (auto &query : queries) {
		if (admission.RenewLease(query)) {
			killed.push_back(query);
		}
	}
	return killed;
}

bool Cluster::KillQuery(const QueryId &query) {
	return admission.Kill(query);
}

void Cluster::ReleaseQuery(const QueryId &query) {
	admission.Release(query);
}

void Cluster::CheckCompatible(const WorkerInfo &info) const {
	auto &id = info.address.id;
	if (id.empty()) {
		throw InvalidInputException("A worker needs an id");
	}
	if (info.protocol_version != PROTOCOL_VERSION) {
		throw InvalidInputException("Worker %s speaks version %d of Duckherder's protocol, this driver version %d: run "
		                            "the same Duckherder on all nodes",
		                            id, info.protocol_version, PROTOCOL_VERSION);
	}
	std::string own_version = duckdb::DuckDB::LibraryVersion();
	if (info.duckdb_version != own_version) {
		throw InvalidInputException(
		    "Worker %s runs DuckDB %s, this driver DuckDB %s: serialized plans only fit the same "
		    "version, run the same on all nodes",
		    id, info.duckdb_version, own_version);
	}
}

void Cluster::Put(const WorkerInfo &info, Origin origin) {
	auto known = members.find(info.address.id);
	if (known == members.end() && members.size() >= limits::WORKERS_MAX) {
		throw InvalidInputException("A driver takes %d workers at most", limits::WORKERS_MAX);
	}
	auto sequence = known == members.end() ? next_sequence++ : known->second.sequence;
	std::set<std::string> replaced;
	if (known != members.end() && known->second.info.incarnation != info.incarnation) {
		replaced = std::move(known->second.replaced);
		replaced.insert(known->second.info.incarnation);
	}
	members[info.address.id] = Member {info, origin, clock->NowMs(), sequence, std::move(replaced)};
}

bool Cluster::IsLost(const Member &member) const {
	return member.origin == Origin::SELF_REGISTERED &&
	       clock->NowMs() - member.last_heartbeat > limits::HEARTBEAT_LOST_MS;
}

void Cluster::CheckIdIsFree(const WorkerInfo &info) const {
	auto known = members.find(info.address.id);
	if (known == members.end() || known->second.info.incarnation == info.incarnation || IsLost(known->second)) {
		return;
	}
	auto &holder = known->second;
	if (holder.info.address.location != info.address.location) {
		ThrowIdTaken(holder.info.address, info.address, "Give each worker an --id of its own");
	}
	// at the same address the former process has ended, unless it says that it has not
	if (holder.replaced.count(info.incarnation) > 0) {
		ThrowIdTaken(holder.info.address, info.address, "Give each worker an --advertise and an --id of its own");
	}
}

void Cluster::RegisterWorker(const WorkerInfo &info) {
	CheckCompatible(info);
	MutexLock guard(lock);
	CheckIdIsFree(info);
	Put(info, Origin::SELF_REGISTERED);
}

bool Cluster::Heartbeat(const WorkerInfo &info) {
	MutexLock guard(lock);
	auto entry = members.find(info.address.id);
	if (entry == members.end() || entry->second.info.incarnation != info.incarnation) {
		return false;
	}
	if (info.state == WorkerState::BROKEN) {
		members.erase(entry);
		return true;
	}
	entry->second.info = info;
	entry->second.last_heartbeat = clock->NowMs();
	return true;
}

void Cluster::UnregisterWorker(const WorkerId &id, const std::string &incarnation) {
	MutexLock guard(lock);
	auto entry = members.find(id);
	if (entry != members.end() && entry->second.info.incarnation == incarnation) {
		members.erase(entry);
	}
}

void Cluster::AddWorker(const WorkerInfo &info) {
	CheckCompatible(info);
	MutexLock guard(lock);
	if (members.count(info.address.id) > 0) {
		throw InvalidInputException("There is a worker with the id '%s' already: unregister it first or choose "
		                            "another id",
		                            info.address.id);
	}
	Put(info, Origin::ADDED);
}

bool Cluster::RemoveWorker(const WorkerId &id) {
	MutexLock guard(lock);
	return members.erase(id) > 0;
}

void Cluster::NoteBroken(const WorkerId &id, const std::string &incarnation) {
	MutexLock guard(lock);
	auto entry = members.find(id);
	if (entry == members.end() || entry->second.info.incarnation != incarnation) {
		return;
	}
	if (std::find(broken.begin(), broken.end(), incarnation) == broken.end()) {
		broken.push_back(incarnation);
	}
	if (broken.size() > limits::WORKERS_MAX) {
		broken.pop_front();
	}
}

void Cluster::NoteAnswer(const WorkerInfo &info) {
	MutexLock guard(lock);
	auto entry = members.find(info.address.id);
	if (entry != members.end() && entry->second.origin == Origin::ADDED) {
		entry->second.info = info;
	}
}

void Cluster::ReplaceBorrowed(const std::vector<WorkerInfo> &workers) {
	for (auto &worker : workers) {
		CheckCompatible(worker);
	}
	// at once: somebody may be planning a query for the workers that are there
	MutexLock guard(lock);
	for (auto entry = members.begin(); entry != members.end();) {
		entry = entry->second.origin == Origin::BORROWED ? members.erase(entry) : std::next(entry);
	}
	for (auto &worker : workers) {
		Put(worker, Origin::BORROWED);
	}
}

std::vector<WorkerInfo> Cluster::ListWorkers() {
	MutexLock guard(lock);
	std::vector<std::pair<uint64_t, WorkerInfo>> ordered;
	auto now = clock->NowMs();
	for (auto &entry : members) {
		auto info = entry.second.info;
		info.sends_heartbeats = entry.second.origin != Origin::ADDED;
		if (entry.second.origin == Origin::SELF_REGISTERED) {
			info.heartbeat_age_ms = now - entry.second.last_heartbeat;
		}
		if (IsLost(entry.second) || std::find(broken.begin(), broken.end(), info.incarnation) != broken.end()) {
			info.state = WorkerState::LOST;
		}
		ordered.emplace_back(entry.second.sequence, std::move(info));
	}
	std::sort(ordered.begin(), ordered.end(), [](auto &left, auto &right) { return left.first < right.first; });
	std::vector<WorkerInfo> result;
	for (auto &entry : ordered) {
		result.push_back(std::move(entry.second));
	}
	return result;
}

std::vector<WorkerInfo> Cluster::ActiveWorkers() {
	auto workers = ListWorkers();
	workers.erase(std::remove_if(workers.begin(), workers.end(),
	                             [](const WorkerInfo &worker) { return worker.state != WorkerState::ACTIVE; }),
	              workers.end());
	return workers;
}

} // namespace duckherder
