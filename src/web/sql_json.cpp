#include "web/sql_json.hpp"

#include "common/clock.hpp"
#include "wire/json.hpp"

#include "duckdb.hpp"

namespace duckherder {

namespace {

//! A session that ends with its statement
class OneStatement {
public:
	OneStatement(DatabaseService &database_p, Role role) : database(database_p) {
		SessionRequest request;
		request.duckdb_version = duckdb::DuckDB::LibraryVersion();
		request.protocol = "http";
		id = database.OpenSession(request, role).id;
	}
	~OneStatement() {
		try {
			database.CloseSession(id);
		} catch (std::exception &) {
			// nobody uses it any more: it ends when its lease does
		}
	}

	DatabaseService &database;
	SessionId id;
};

//! Whether all rows were added
bool AddRows(JsonNode rows, ChunkSource &source, uint64_t limit) {
	auto reader = source.OpenReader();
	duckdb::DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), source.Types());
	uint64_t added = 0;
	while (true) {
		chunk.Reset();
		reader->Next(chunk);
		if (chunk.size() == 0) {
			return true;
		}
		for (duckdb::idx_t row = 0; row < chunk.size(); row++) {
			if (added++ == limit) {
				return false;
			}
			auto cells = rows.AddArray();
			for (duckdb::idx_t column = 0; column < chunk.ColumnCount(); column++) {
				auto value = chunk.GetValue(column, row);
				if (value.IsNull()) {
					cells.AddNull();
				} else {
					cells.Add(value.ToString());
				}
			}
		}
	}
}

} // namespace

std::string SqlJson(DatabaseService &database, const std::string &sql, Role role, uint64_t limit) {
	SteadyClock clock;
	auto began_us = clock.NowUs();
	OneStatement session(database, role);
	auto shape = database.Describe(session.id, sql);
	auto source = database.Run(SessionStatement::OfText(session.id, sql), {}, [] { return false; });
	JsonDocument document;
	auto root = document.Root();
	auto columns = root.Array("columns");
	for (size_t i = 0; i < shape.names.size(); i++) {
		auto column = columns.AddObject();
		column.Set("name", shape.names[i]);
		column.Set("type", shape.types[i].ToString());
	}
	auto complete = AddRows(root.Array("rows"), *source, limit);
	if (!complete) {
		source->Cancel();
	}
	source.reset();
	database.Commit(session.id);
	root.Set("truncated", !complete);
	root.Set("duration_ms", static_cast<double>(clock.NowUs() - began_us) / 1000);
	return document.Text();
}

} // namespace duckherder
