#include "web/sql_json.hpp"

#include "common/clock.hpp"
#include "web/statement_rows.hpp"
#include "wire/json.hpp"

namespace duckherder {

std::string SqlJson(DatabaseService &database, const std::string &sql, Role role, uint64_t limit,
                    const GoneCheck &gone) {
	SteadyClock clock;
	auto began_us = clock.NowUs();
	auto result = RunStatement(database, sql, role, limit, gone);
	JsonDocument document;
	auto root = document.Root();
	auto columns = root.Array("columns");
	for (size_t i = 0; i < result.shape.names.size(); i++) {
		auto column = columns.AddObject();
		column.Set("name", result.shape.names[i]);
		column.Set("type", result.shape.types[i].ToString());
	}
	auto rows = root.Array("rows");
	for (auto &row : result.rows) {
		auto cells = rows.AddArray();
		for (auto &value : row) {
			if (value.IsNull()) {
				cells.AddNull();
			} else {
				cells.Add(value.ToString());
			}
		}
	}
	root.Set("truncated", !result.complete);
	root.Set("duration_ms", static_cast<double>(clock.NowUs() - began_us) / 1000);
	return document.Text();
}

} // namespace duckherder
