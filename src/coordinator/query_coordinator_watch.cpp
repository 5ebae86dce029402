#include "coordinator/query_coordinator.hpp"

#include "duckdb/main/client_context.hpp"

#include <algorithm>

//! What a coordinator does beside running tasks: timers, workers that come and go, leases, interrupts.
namespace duckherder {

void QueryCoordinator::Tick(std::unique_lock<std::mutex> &guard) {
	auto now = services.clock->NowMs();
	if (timer && now >= *timer) {
		timer.reset();
		Apply(scheduler->Handle(event::TimerFired {}, now));
	}
	if (options.query_timeout_ms > 0 && now - started_at_us / 1000 > options.query_timeout_ms && !failure) {
		FailNow("The query ran longer than duckherder_query_timeout (" + std::to_string(options.query_timeout_ms) +
		        " ms)");
	}
	if (scheduler->Ended() && on_workers_done) {
		auto action = std::move(on_workers_done);
		on_workers_done = nullptr;
		guard.unlock();
		action();
		guard.lock();
	}
	if (now - last_renewal >= limits::LEASE_RENEW_INTERVAL_MS) {
		last_renewal = now;
		RenewLeases();
	}
	LookAfterSuspects();
	if (now - last_member_check < limits::HEARTBEAT_INTERVAL_MS) {
		return;
	}
	last_member_check = now;
	if (services.refresh_workers && !refreshing->exchange(true)) {
		// for the next time: this thread looks for interrupts and must not wait
		services.pool->Submit([refresh = services.refresh_workers, done = refreshing] {
			refresh(false);
			*done = false;
		});
	}
	guard.unlock();
	auto members = services.cluster->ListWorkers();
	guard.lock();
	if (!stopped) {
		NoteMembers(members);
	}
}

void QueryCoordinator::FailNow(const std::string &message) {
	TaskError error;
	error.exception_type = duckdb::Exception::ExceptionTypeToString(duckdb::ExceptionType::INTERRUPT);
	error.message = message;
	Apply(scheduler->Handle(event::Cancel {}, services.clock->NowMs()));
	failure = error;
	StopWorkers();
}

bool QueryCoordinator::Kill(const std::string &message) {
	std::lock_guard<std::mutex> guard(lock);
	if (finished || failure) {
		return false;
	}
	if (!scheduler) {
		// it waits until it may run
		context.Interrupt();
		return true;
	}
	// if the session has all rows, it does not ask us any more
	auto only_session = scheduler->Ended();
	FailNow(message);
	changed.notify_all();
	if (only_session) {
		context.Interrupt();
	}
	return true;
}

void QueryCoordinator::LoseWorker(const WorkerId &id, const std::string &reason) {
	if (lost_workers.insert(id).second) {
		Apply(scheduler->Handle(event::WorkerLost {id, reason}, services.clock->NowMs()));
		// it may be silent for long; those that wait for it are told now
		services.connector->GiveUp(query_id, AddressOf(id).location);
		renewing.clear();
		RenewLeases();
	}
}

void QueryCoordinator::DrainWorker(const WorkerId &id) {
	if (draining_workers.insert(id).second) {
		Apply(scheduler->Handle(event::WorkerDraining {id}, services.clock->NowMs()));
	}
}

void QueryCoordinator::JoinWorker(const WorkerId &id) {
	lost_workers.erase(id);
	draining_workers.erase(id);
	suspects.erase(id);
	Apply(scheduler->Handle(event::WorkerJoined {id, tasks_per_worker}, services.clock->NowMs()));
}

void QueryCoordinator::ReplaceWorker(WorkerInfo &known, const WorkerInfo &now, const std::string &reason) {
	LoseWorker(known.address.id, reason);
	former_incarnations.insert(known.incarnation);
	known.incarnation = now.incarnation;
}

WorkerInfo *QueryCoordinator::FindWorker(const WorkerId &id) {
	auto known =
	    std::find_if(workers.begin(), workers.end(), [&](const WorkerInfo &worker) { return worker.address.id == id; });
	return known == workers.end() ? nullptr : &*known;
}

void QueryCoordinator::NoteMembers(const std::vector<WorkerInfo> &members) {
	std::set<WorkerId> listed;
	for (auto &member : members) {
		listed.insert(member.address.id);
		// a list may be older than what the worker itself has said
		if (former_incarnations.count(member.incarnation) == 0) {
			NoteMember(member);
		}
	}
	for (auto &suspect : std::map<WorkerId, Suspect>(suspects)) {
		if (listed.count(suspect.first) == 0) {
			LoseWorker(suspect.first, "it has left the cluster");
		}
	}
}

void QueryCoordinator::NoteMember(const WorkerInfo &member) {
	auto &id = member.address.id;
	auto known = FindWorker(id);
	auto takes_tasks = known && lost_workers.count(id) == 0 && draining_workers.count(id) == 0;
	if (known && known->incarnation != member.incarnation) {
		auto moved = known->address.location != member.address.location;
		ReplaceWorker(*known, member, moved ? "it was started again elsewhere" : "it was started again");
		takes_tasks = false;
	} else if (known && known->address.location != member.address.location) {
		LoseWorker(id, "it has another address");
		takes_tasks = false;
	}
	switch (member.state) {
	case WorkerState::LOST:
	case WorkerState::BROKEN:
		if (known) {
			LoseWorker(id, member.state == WorkerState::LOST ? "its heartbeats stopped" : "its database is invalid");
		}
		break;
	case WorkerState::DRAINING:
		if (takes_tasks) {
			DrainWorker(id);
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
		JoinWorker(id);
		break;
	}
}

void QueryCoordinator::NoteFailure(const WorkerAddress &worker, const TaskError &error) {
	switch (error.kind) {
	case ErrorKind::DRAINING:
		DrainWorker(worker.id);
		SuspectWorker(worker.id);
		break;
	case ErrorKind::UNREACHABLE:
	case ErrorKind::DISCONNECTED:
		SuspectWorker(worker.id);
		break;
	case ErrorKind::LOST_INPUT:
		SuspectWorker(error.lost_worker);
		break;
	case ErrorKind::BROKEN:
		if (auto known = FindWorker(worker.id)) {
			services.cluster->NoteBroken(worker.id, known->incarnation);
		}
		break;
	default:
		break;
	}
}

void QueryCoordinator::SuspectWorker(const WorkerId &id) {
	auto now = services.clock->NowMs();
	if (!FindWorker(id) || !suspects.emplace(id, Suspect {now, now, false}).second) {
		return;
	}
	Apply(scheduler->Handle(event::WorkerDraining {id}, now));
	LookAfterSuspects();
}

void QueryCoordinator::LookAfterSuspects() {
	auto now = services.clock->NowMs();
	for (auto &entry : suspects) {
		auto &suspect = entry.second;
		if (stopped || suspect.looking || now < suspect.next_look) {
			continue;
		}
		suspect.looking = true;
		services.pool->Submit([self = shared_from_this(), address = AddressOf(entry.first)] {
			// the list first: whoever keeps it may know already what has become of the worker
			if (self->services.refresh_workers) {
				self->services.refresh_workers(true);
			}
			std::optional<WorkerInfo> answer;
			try {
				answer = self->services.connector->Connect(address)->GetInfo();
				answer->address = address;
			} catch (std::exception &) {
				// then it is asked again
			}
			self->NoteAnswer(address.id, answer);
		});
	}
}

void QueryCoordinator::NoteAnswer(const WorkerId &id, const std::optional<WorkerInfo> &answer) {
	auto members = services.cluster->ListWorkers();
	if (answer) {
		services.cluster->NoteAnswer(*answer);
	}
	std::lock_guard<std::mutex> guard(lock);
	if (stopped) {
		return;
	}
	NoteMembers(members);
	auto entry = suspects.find(id);
	auto known = FindWorker(id);
	auto now = services.clock->NowMs();
	if (entry != suspects.end()) {
		entry->second.looking = false;
		entry->second.next_look = now + limits::SUSPECT_LOOK_INTERVAL_MS;
	}
	changed.notify_all();
	if (!answer || !known || entry == suspects.end()) {
		if (entry != suspects.end() && now - entry->second.since >= limits::SUSPECT_LOST_MS) {
			LoseWorker(id, "it cannot be reached");
		}
		return;
	}
	entry->second.since = now;
	if (answer->incarnation != known->incarnation) {
		ReplaceWorker(*known, *answer, "it was started again");
	}
	if (answer->state == WorkerState::ACTIVE) {
		JoinWorker(id);
	} else if (answer->state == WorkerState::BROKEN) {
		LoseWorker(id, "its database is invalid");
	}
}

void QueryCoordinator::RenewLeases() {
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
		services.pool->Submit([connector = services.connector, address = AddressOf(id), query = query_id,
		                       lost_locations, done = on_its_way] {
			try {
				connector->Connect(address)->RenewLease(query, lost_locations);
			} catch (std::exception &) {
				// who needs its outputs will notice that it is gone
			}
			*done = false;
		});
	}
}

void QueryCoordinator::Watch() {
	std::unique_lock<std::mutex> guard(lock);
	auto done = [&] { return finished && running_attempts == 0; };
	while (!ended.wait_for(guard, std::chrono::milliseconds(limits::WATCH_INTERVAL_MS), done)) {
		if (!finished) {
			Tick(guard);
		}
		// remembered as the query's failure: DuckDB may take the interrupt back, and nothing is to start any more
		if (context.interrupted && !stopped) {
			FailNow(duckdb::InterruptException::INTERRUPT_MESSAGE);
			changed.notify_all();
		}
		HangUp();
	}
	watching = false;
	changed.notify_all();
}

} // namespace duckherder
