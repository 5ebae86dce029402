#include "main/registration.hpp"

#include "common/clock.hpp"
#include "common/limits.hpp"
#include "common/log.hpp"

#include "duckdb/common/error_data.hpp"
#include "duckdb/common/exception.hpp"

namespace duckherder {

Registration::Registration(std::function<WorkerInfo()> info_p, std::string location, FlightClientSettings settings)
    : info(std::move(info_p)), driver(location, std::move(settings)), driver_location(std::move(location)) {
}

bool Registration::Register(uint64_t wait_ms, const std::function<bool(uint64_t)> &stopped) {
	SteadyClock clock;
	auto began = clock.NowMs();
	while (true) {
		try {
			driver.RegisterWorker(info());
			return true;
		} catch (std::exception &exception) {
			duckdb::ErrorData error(exception);
			auto reason = error.ExtraInfo();
			auto taken = reason.find(REFUSAL_FIELD) != reason.end() && reason[REFUSAL_FIELD] == ID_TAKEN;
			auto silent = error.Type() == duckdb::ExceptionType::IO;
			auto waited = clock.NowMs() - began;
			if (!(taken && waited < limits::REGISTER_PATIENCE_MS) && !(silent && waited < wait_ms)) {
				if (silent && wait_ms > 0) {
					throw duckdb::IOException("%s; the worker has waited for it for %llu s (--driver-timeout)",
					                          error.RawMessage(), wait_ms / 1000);
				}
				throw;
			}
			if (silent && reachable) {
				reachable = false;
				Log::OfProcess().Write(LogLevel::WARNING, "driver_awaited", error.RawMessage() + ": waiting for it",
				                       {{"driver", driver_location}});
			}
			if (stopped(limits::HEARTBEAT_INTERVAL_MS)) {
				return false;
			}
		}
	}
}

void Registration::Heartbeat() {
	try {
		auto now = info();
		if (!driver.Heartbeat(now)) {
			driver.RegisterWorker(now);
		}
		if (!reachable) {
			Log::OfProcess().Write(LogLevel::INFO, "driver_reachable",
			                       "driver " + driver_location + " is reachable again", {{"driver", driver_location}});
		}
		reachable = true;
	} catch (std::exception &error) {
		if (reachable) {
			Log::OfProcess().Write(LogLevel::WARNING, "driver_unreachable",
			                       "heartbeat: " + duckdb::ErrorData(error).Message(), {{"driver", driver_location}});
		}
		reachable = false;
	}
}

void Registration::Unregister() {
	try {
		auto now = info();
		driver.UnregisterWorker(now.address.id, now.incarnation);
	} catch (std::exception &) {
		// it will miss the heartbeats
	}
}

} // namespace duckherder
