#pragma once

#include "transport/flight/flight_connector.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace duckherder {

//! Tells the driver that the worker lives, and registers again with a driver that does not know it. Used by one thread.
class Registration {
public:
	//! `info` is what the worker says of itself.
	Registration(std::function<WorkerInfo()> info, std::string location, FlightClientSettings settings);

	//! Used once at the start. Throws what the driver says, so that a wrong version or token ends the worker. If the id
	//! is taken, by a process that was killed perhaps, it waits until the driver knows; if nobody answers, for
	//! `wait_ms`. `stopped` waits as long as it is told, and says whether the worker shall end: then false.
	bool Register(uint64_t wait_ms, const std::function<bool(uint64_t)> &stopped);
	void Heartbeat();
	void Unregister();

private:
	const std::function<WorkerInfo()> info;
	FlightDriverClient driver;
	const std::string driver_location;
	bool reachable = true;
};

} // namespace duckherder
