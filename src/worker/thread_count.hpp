#pragma once

#include "duckdb.hpp"

#include <cstdint>
#include <memory>
#include <mutex>

namespace duckherder {

//! How many threads a worker's DuckDB has. They wait while they read over a network, one request after the other, so
//! that with one thread for each core most of the time nothing happens. While a task runs that reads remote files there
//! are more of them. Thread-safe. Outlived by its database.
class ThreadCount {
public:
	//! What the database has now is the usual number. `remote`: the number for remote files, if it is more; 0:
	//! REMOTE_THREADS_PER_THREAD times the usual one, or REMOTE_THREADS_DEFAULT_MAX if that is less.
	ThreadCount(duckdb::DatabaseInstance &db, uint32_t remote);

	//! For as long as a task runs. More threads come at once; those too many go when a task begins that has no use for
	//! them while no other runs, as they have to be waited for.
	class Use {
	public:
		Use(ThreadCount &count, bool remote);
		~Use();
		Use(const Use &) = delete;
		Use &operator=(const Use &) = delete;

	private:
		ThreadCount &count;
	};

	uint32_t Usual() const {
		return usual;
	}

private:
	//! With the lock held
	void Set(uint32_t threads);

	duckdb::DatabaseInstance &db;
	const uint32_t usual;
	const uint32_t remote;
	std::mutex lock;
	uint32_t now;
	uint32_t running = 0;
};

} // namespace duckherder
