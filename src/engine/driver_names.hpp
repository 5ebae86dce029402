#pragma once

//! Plans over a driver's tables name the database in two ways: as its client has attached it, and as the driver itself
//! calls it. DuckDB copies plans by writing and reading them, within the client, so the client's name is the one that
//! is written, except while a plan is made ready for the driver.
namespace duckherder {

//! The scan of a table of a driver in the plan of its client. The driver looks the table up when it reads the plan.
constexpr const char *REMOTE_SCAN_NAME = "duckherder_remote_scan";

//! While one lives, what this thread writes is for the driver.
class DriverNames {
public:
	DriverNames();
	~DriverNames();
	DriverNames(const DriverNames &) = delete;
	DriverNames &operator=(const DriverNames &) = delete;

	static bool Wanted();
};

} // namespace duckherder
