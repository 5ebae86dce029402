#include "coordinator/worker_watch.hpp"

#include "duckdb/common/exception.hpp"

#include <algorithm>

namespace duckherder {

WorkerWatch::WorkerWatch(QueryId query_p, const CoordinatorServices &services_p, Report report_p, Answered answered_p)
    : query(std::move(query_p)), services(services_p), report(std::move(report_p)), answered(std::move(answered_p)) {
}

void WorkerWatch::Begin() {
	workers = services.cluster->ActiveWorkers();
}

void WorkerWatch::Join(uint32_t tasks_per_worker_p) {
	tasks_per_worker = tasks_per_worker_p;
	for (auto &worker : workers) {
		report(event::WorkerJoined {worker.address.id, tasks_per_worker});
	}
}

const WorkerAddress &WorkerWatch::AddressOf(const WorkerId &id) const {
	return InfoOf(id).address;
}

const std::string &WorkerWatch::IncarnationOf(const WorkerId &id) const {
	return InfoOf(id).incarnation;
}

const WorkerInfo &WorkerWatch::InfoOf(const WorkerId &id) const {
	for (auto &worker : workers) {
		if (worker.address.id == id) {
			return worker;
		}
	}
	throw duckdb::InternalException("The scheduler named the unknown worker %s", id);
}

std::vector<WorkerAddress> WorkerWatch::Used() const {
	std::vector<WorkerAddress> result;
	for (auto &id : used_workers) {
		result.push_back(AddressOf(id));
	}
	return result;
}

void WorkerWatch::Tick() {
	auto now = services.clock->NowMs();
	if (now - last_renewal >= limits::LEASE_RENEW_INTERVAL_MS) {
		last_renewal = now;
		RenewLeases();
	}
	LookAfterSuspects();
}

bool WorkerWatch::WantsMembers() {
	auto now = services.clock->NowMs();
	if (now - last_member_check < limits::HEARTBEAT_INTERVAL_MS) {
		return false;
	}
	last_member_check = now;
	if (services.refresh_workers && !refreshing->exchange(true)) {
		// for the next time: this thread looks for interrupts and must not wait
		services.pool->Submit([refresh = services.refresh_workers, done = refreshing] {
			refresh(false);
			*done = false;
		});
	}
	return true;
}

void WorkerWatch::Lose(const WorkerId &id, const std::string &reason) {
	if (lost_workers.insert(id).second) {
		report(event::WorkerLost {id, reason});
		// it may be silent for long; those that wait for it are told now
		services.connector->GiveUp(query, AddressOf(id).location);
		renewing.clear();
		RenewLeases();
	}
}

void WorkerWatch::Drain(const WorkerId &id) {
	if (draining_workers.insert(id).second) {
		report(event::WorkerDraining {id});
	}
}

void WorkerWatch::JoinAgain(const WorkerId &id) {
	lost_workers.erase(id);
	draining_workers.erase(id);
	suspects.erase(id);
	report(event::WorkerJoined {id, tasks_per_worker});
}

void WorkerWatch::Replace(WorkerInfo &known, const WorkerInfo &now, const std::string &reason) {
	Lose(known.address.id, reason);
	former_incarnations.insert(known.incarnation);
	known.incarnation = now.incarnation;
}

WorkerInfo *WorkerWatch::Find(const WorkerId &id) {
	auto known =
	    std::find_if(workers.begin(), workers.end(), [&](const WorkerInfo &worker) { return worker.address.id == id; });
	return known == workers.end() ? nullptr : &*known;
}

void WorkerWatch::NoteMembers(const std::vector<WorkerInfo> &members) {
	std::set<WorkerId> listed;
	for (auto &member : members) {
		listed.insert(member.address.id);
		// a list may be older than what the worker itself has said
		if (former_incarnations.count(member.incarnation) == 0) {
			NoteMember(member);
		}
	}
	for (auto &suspect : std::map<WorkerId, SuspectedWorker>(suspects)) {
		if (listed.count(suspect.first) == 0) {
			Lose(suspect.first, "it has left the cluster");
		}
	}
}

void WorkerWatch::NoteMember(const WorkerInfo &member) {
	auto &id = member.address.id;
	auto known = Find(id);
	auto takes_tasks = known && lost_workers.count(id) == 0 && draining_workers.count(id) == 0;
	if (known && known->incarnation != member.incarnation) {
		auto moved = known->address.location != member.address.location;
		Replace(*known, member, moved ? "it was started again elsewhere" : "it was started again");
		takes_tasks = false;
	} else if (known && known->address.location != member.address.location) {
		Lose(id, "it has another address");
		takes_tasks = false;
	}
	switch (member.state) {
	case WorkerState::LOST:
	case WorkerState::BROKEN:
		if (known) {
			Lose(id, member.state == WorkerState::LOST ? "its heartbeats stopped" : "its database is invalid");
		}
		break;
	case WorkerState::DRAINING:
		if (takes_tasks) {
			Drain(id);
		}
		break;
	case WorkerState::ACTIVE:
		// without heartbeats it has to be asked whether it takes tasks again
		if (takes_tasks || (known && !member.sends_heartbeats)) {
			break;
		}
		if (known) {
			known->address = member.address;
		} else {
			workers.push_back(member);
		}
		JoinAgain(id);
		break;
	}
}

void WorkerWatch::NoteFailure(const WorkerId &worker, const TaskError &error) {
	switch (error.kind) {
	case ErrorKind::DRAINING:
		Drain(worker);
		Suspect(worker);
		break;
	case ErrorKind::UNREACHABLE:
	case ErrorKind::DISCONNECTED:
	case ErrorKind::REPLACED:
		Suspect(worker);
		break;
	case ErrorKind::LOST_INPUT:
		Suspect(error.lost_worker);
		break;
	case ErrorKind::BROKEN:
		if (auto known = Find(worker)) {
			services.cluster->NoteBroken(worker, known->incarnation);
		}
		break;
	default:
		break;
	}
}

void WorkerWatch::Suspect(const WorkerId &id) {
	auto now = services.clock->NowMs();
	if (!Find(id) || !suspects.emplace(id, SuspectedWorker {now, now, false}).second) {
		return;
	}
	report(event::WorkerDraining {id});
	LookAfterSuspects();
}

void WorkerWatch::LookAfterSuspects() {
	auto now = services.clock->NowMs();
	for (auto &entry : suspects) {
		auto &suspect = entry.second;
		if (stopped || suspect.looking || now < suspect.next_look) {
			continue;
		}
		suspect.looking = true;
		services.pool->Submit([connector = services.connector, refresh = services.refresh_workers, tell = answered,
		                       address = AddressOf(entry.first)] {
			// the list first: whoever keeps it may know already what has become of the worker
			if (refresh) {
				refresh(true);
			}
			std::optional<WorkerInfo> answer;
			try {
				answer = connector->Connect(address)->GetInfo();
				answer->address = address;
			} catch (std::exception &) {
				// then it is asked again
			}
			tell(address.id, answer);
		});
	}
}

void WorkerWatch::NoteAnswer(const WorkerId &id, const std::optional<WorkerInfo> &answer) {
	auto entry = suspects.find(id);
	auto known = Find(id);
	auto now = services.clock->NowMs();
	if (entry != suspects.end()) {
		entry->second.looking = false;
		entry->second.next_look = now + limits::SUSPECT_LOOK_INTERVAL_MS;
	}
	if (!answer || !known || entry == suspects.end()) {
		if (entry != suspects.end() && now - entry->second.since >= limits::SUSPECT_LOST_MS) {
			Lose(id, "it cannot be reached");
		}
		return;
	}
	entry->second.since = now;
	if (answer->incarnation != known->incarnation) {
		Replace(*known, *answer, "it was started again");
	}
	if (answer->state == WorkerState::ACTIVE) {
		JoinAgain(id);
	} else if (answer->state == WorkerState::BROKEN) {
		Lose(id, "its database is invalid");
	}
}

void WorkerWatch::RenewLeases() {
	std::vector<std::string> lost_locations;
	for (auto &id : lost_workers) {
		lost_locations.push_back(AddressOf(id).location);
	}
	for (auto &id : used_workers) {
		auto &on_its_way = renewing[id];
		if (!on_its_way) {
			on_its_way = std::make_shared<std::atomic<bool>>(false);
		}
		if (lost_workers.count(id) > 0 || on_its_way->exchange(true)) {
			continue;
		}
		services.pool->Submit([connector = services.connector, address = AddressOf(id), query = query, lost_locations,
		                       done = on_its_way] {
			try {
				connector->Connect(address)->RenewLease(query, lost_locations);
			} catch (std::exception &) {
				// who needs its outputs will notice that it is gone
			}
			*done = false;
		});
	}
}

} // namespace duckherder
