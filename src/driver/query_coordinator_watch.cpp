#include "driver/query_coordinator.hpp"

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
	if (now - last_member_check < limits::HEARTBEAT_INTERVAL_MS) {
		return;
	}
	last_member_check = now;
	if (services.refresh_workers && !refreshing->exchange(true)) {
		// for the next time: this thread looks for interrupts and must not wait
		services.pool->Submit([refresh = services.refresh_workers, done = refreshing] {
			refresh();
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

void QueryCoordinator::NoteMembers(const std::vector<WorkerInfo> &members) {
	for (auto &member : members) {
		auto &id = member.address.id;
		auto known = std::find_if(workers.begin(), workers.end(),
		                          [&](const WorkerInfo &worker) { return worker.address.id == id; });
		auto takes_tasks = known != workers.end() && lost_workers.count(id) == 0 && draining_workers.count(id) == 0;
		if (known != workers.end() && known->address.location != member.address.location) {
			LoseWorker(id, "it was started again elsewhere");
			takes_tasks = false;
		}
		switch (member.state) {
		case WorkerState::LOST:
			if (known != workers.end()) {
				LoseWorker(id, "its heartbeats stopped");
			}
			break;
		case WorkerState::DRAINING:
			if (takes_tasks) {
				DrainWorker(id);
			}
			break;
		case WorkerState::ACTIVE:
			// without heartbeats nobody has heard that it takes tasks again
			if (takes_tasks || (known != workers.end() && !member.sends_heartbeats)) {
				break;
			}
			if (known == workers.end()) {
				workers.push_back(member);
			} else {
				known->address = member.address;
			}
			lost_workers.erase(id);
			draining_workers.erase(id);
			Apply(scheduler->Handle(event::WorkerJoined {id, tasks_per_worker}, services.clock->NowMs()));
			break;
		}
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
				connector->Connect(address)->KeepQuery(query, lost_locations);
			} catch (std::exception &) {
				// who needs its outputs will notice that it is gone
			}
			*done = false;
		});
	}
}

void QueryCoordinator::Watch() {
	std::unique_lock<std::mutex> guard(lock);
	while (!ended.wait_for(guard, std::chrono::milliseconds(limits::WATCH_INTERVAL_MS), [&] { return finished; })) {
		Tick(guard);
		if (context.interrupted && !stopped) {
			StopWorkers();
			changed.notify_all();
		}
	}
	watching = false;
	changed.notify_all();
}

} // namespace duckherder
