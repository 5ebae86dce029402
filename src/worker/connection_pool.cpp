#include "worker/connection_pool.hpp"

#include "codec/result_settings.hpp"

#include "duckdb/main/client_context.hpp"
#include "duckdb/parser/keyword_helper.hpp"

namespace duckherder {

using namespace duckdb;

ConnectionPool::ConnectionPool(std::shared_ptr<DuckDB> db_p) : db(std::move(db_p)) {
}

unique_ptr<Connection> ConnectionPool::Take(const Settings &settings) {
	{
		std::lock_guard<std::mutex> guard(lock);
		// the latest first: its memory is warm
		for (auto i = idle.size(); i-- > 0;) {
			if (idle[i].settings == settings) {
				auto result = std::move(idle[i].connection);
				idle.erase(idle.begin() + i);
				return result;
			}
		}
	}
	auto result = make_uniq<Connection>(*db);
	for (auto &setting : settings) {
		if (!IsResultSetting(setting.first)) {
			throw InvalidInputException("The setting \"%s\" does not travel with tasks", setting.first);
		}
		auto set = result->Query("SET SESSION " + KeywordHelper::WriteOptionallyQuoted(setting.first) + " = " +
		                         KeywordHelper::WriteQuoted(setting.second, '\''));
		if (set->HasError()) {
			set->ThrowError("The session's setting " + setting.first + " cannot be used on this worker: ");
		}
	}
	return result;
}

void ConnectionPool::Return(unique_ptr<Connection> connection, const Settings &settings) {
	unique_ptr<Connection> surplus;
	std::lock_guard<std::mutex> guard(lock);
	idle.push_back({settings, std::move(connection)});
	if (idle.size() > IDLE_MAX) {
		surplus = std::move(idle.front().connection);
		idle.erase(idle.begin());
	}
}

} // namespace duckherder
