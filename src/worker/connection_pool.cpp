#include "worker/connection_pool.hpp"

namespace duckherder {

using namespace duckdb;

ConnectionPool::ConnectionPool(std::shared_ptr<DuckDB> db_p) : db(std::move(db_p)) {
}

unique_ptr<Connection> ConnectionPool::Take(const ResultSettings &settings) {
	unique_ptr<Connection> result;
	{
		std::lock_guard<std::mutex> guard(lock);
		// the latest first: its memory is warm
		for (auto i = idle.size(); i-- > 0;) {
			if (idle[i].settings == settings) {
				result = std::move(idle[i].connection);
				idle.erase(idle.begin() + i);
				break;
			}
		}
	}
	if (!result) {
		result = make_uniq<Connection>(*db);
		// errors travel as text, and are shown as the session has it
		result->Query("SET SESSION errors_as_json = false");
	}
	// each time: SET GLOBAL may have changed what a connection has not set itself
	ApplyResultSettings(*result, settings, "this worker");
	return result;
}

void ConnectionPool::Return(unique_ptr<Connection> connection, const ResultSettings &settings) {
	unique_ptr<Connection> surplus;
	std::lock_guard<std::mutex> guard(lock);
	idle.push_back({settings, std::move(connection)});
	if (idle.size() > IDLE_MAX) {
		surplus = std::move(idle.front().connection);
		idle.erase(idle.begin());
	}
}

} // namespace duckherder
