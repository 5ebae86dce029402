#pragma once

#include "engine/result_settings.hpp"

#include "duckdb.hpp"

#include <memory>
#include <mutex>
#include <vector>

namespace duckherder {

//! Connections that tasks ran on, kept for the next task with the same settings: opening one and sending it a few SETs
//! would cost more than a small task. Thread-safe.
class ConnectionPool {
public:
	//! Connections that wait for a next task; more are closed
	static constexpr size_t IDLE_MAX = 64;

	explicit ConnectionPool(std::shared_ptr<duckdb::DuckDB> db);

	//! A connection with these settings, no transaction. Throws InvalidInputException for a setting that is not one of
	//! ResultSettingNames, and what SET throws.
	duckdb::unique_ptr<duckdb::Connection> Take(const ResultSettings &settings);
	//! Only connections that are as Take gave them: no transaction, nothing registered
	void Return(duckdb::unique_ptr<duckdb::Connection> connection, const ResultSettings &settings);

private:
	struct Idle {
		ResultSettings settings;
		duckdb::unique_ptr<duckdb::Connection> connection;
	};

	//! Before the connections: they need it to close
	std::shared_ptr<duckdb::DuckDB> db;
	std::mutex lock;
	std::vector<Idle> idle;
};

} // namespace duckherder
