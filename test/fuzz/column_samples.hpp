#pragma once

#include "fuzz/fuzz_target.hpp"

#include "duckdb.hpp"

#include <string>
#include <vector>

namespace duckherder::fuzz {

//! Lists of column types, and a query for each whose rows have them
struct ColumnSample {
	duckdb::vector<duckdb::LogicalType> types;
	std::string query;
};

//! Each kind of vector, and each type whose values DuckDB relies on. Not GEOMETRY and VARIANT: see docs/fuzzing.md.
inline const std::vector<ColumnSample> &ColumnSamples() {
	using duckdb::LogicalType;
	using duckdb::Value;
	static const std::vector<ColumnSample> samples = [] {
		duckdb::Vector names(LogicalType::VARCHAR, 3);
		names.SetValue(0, Value("red"));
		names.SetValue(1, Value("green"));
		names.SetValue(2, Value("a colour with a long name"));
		auto colour = LogicalType::ENUM(names, 3);
		auto pair = LogicalType::STRUCT({{"a", LogicalType::INTEGER}, {"b", LogicalType::VARCHAR}});
		auto either = LogicalType::UNION({{"n", LogicalType::BIGINT}, {"s", LogicalType::VARCHAR}});
		return std::vector<ColumnSample> {
		    {{LogicalType::INTEGER, LogicalType::BIGINT, LogicalType::DOUBLE},
		     "SELECT i::INTEGER, i * 3, i / 7 FROM range(5) t(i)"},
		    {{LogicalType::VARCHAR, LogicalType::BLOB},
		     "SELECT CASE WHEN i % 3 > 0 THEN repeat('text ', i::INTEGER) END, 'blob'::BLOB FROM range(5) t(i)"},
		    {{LogicalType::BOOLEAN, colour, LogicalType::UTINYINT},
		     "SELECT i % 2 = 0, ['red', 'green', NULL][1 + i % 3], i FROM range(6) t(i)"},
		    {{LogicalType::LIST(LogicalType::VARCHAR), LogicalType::LIST(LogicalType::LIST(LogicalType::INTEGER))},
		     "SELECT [i::VARCHAR, NULL, 'long enough to lie elsewhere'], [[1, 2], [], NULL] FROM range(4) t(i)"},
		    {{pair, LogicalType::ARRAY(LogicalType::SMALLINT, 3)},
		     "SELECT {'a': i, 'b': 'b' || i}, CASE WHEN i > 1 THEN [1, 2, i] END FROM range(4) t(i)"},
		    {{LogicalType::MAP(LogicalType::VARCHAR, LogicalType::INTEGER), either},
		     "SELECT MAP {'k' || i: i}, CASE WHEN i = 1 THEN 'text' WHEN i > 1 THEN '7' END FROM range(4) t(i)"},
		    {{LogicalType::DATE, LogicalType::TIME, LogicalType::TIME_TZ, LogicalType::TIMESTAMP,
		      LogicalType::INTERVAL},
		     "SELECT DATE '2026-01-01', TIME '12:34:56', TIMETZ '12:00:00+02', TIMESTAMP '2026-01-01 00:00:00', "
		     "INTERVAL 3 DAY FROM range(2)"},
		    {{LogicalType::DECIMAL(4, 1), LogicalType::DECIMAL(38, 3), LogicalType::HUGEINT, LogicalType::UUID},
		     "SELECT 1.5, 12345.678, 9 - i, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' FROM range(2) t(i)"},
		    {{LogicalType::BIT, LogicalType::BIGNUM, LogicalType::TIME_NS},
		     "SELECT '10101', '123456789012345678901234567890', '12:34:56' FROM range(2)"},
		    {{LogicalType::LIST(pair), LogicalType::LIST(colour), LogicalType::LIST(LogicalType::BOOLEAN)},
		     "SELECT [{'a': 1, 'b': 'x'}, NULL], ['red'], [true, NULL] FROM range(3) t(i)"},
		    {{}, "SELECT 1 FROM range(3)"},
		};
	}();
	return samples;
}

//! The rows of a sample, cast to its types
inline duckdb::unique_ptr<duckdb::DataChunk> SampleRows(const ColumnSample &sample) {
	duckdb::DuckDB db(nullptr);
	duckdb::Connection connection(db);
	auto result = connection.Query(sample.query);
	if (result->HasError()) {
		result->ThrowError();
	}
	auto rows = result->Fetch();
	auto chunk = duckdb::make_uniq<duckdb::DataChunk>();
	chunk->Initialize(duckdb::Allocator::DefaultAllocator(), sample.types);
	for (duckdb::idx_t column = 0; column < sample.types.size(); column++) {
		for (duckdb::idx_t row = 0; row < rows->size(); row++) {
			auto value = rows->GetValue(column, row);
			chunk->SetValue(column, row, value.CastAs(*connection.context, sample.types[column]));
		}
	}
	chunk->SetCardinality(rows->size());
	return chunk;
}

//! The first byte picks the types for the rest. `decode`: of types, bytes and their number
template <class FUNCTION>
void DecodeWithTypes(const uint8_t *data, size_t size, FUNCTION decode) {
	if (size == 0) {
		return;
	}
	auto &types = ColumnSamples()[data[0] % ColumnSamples().size()].types;
	if (!types.empty()) {
		Decode([&] { decode(types, data + 1, size - 1); });
	}
}

} // namespace duckherder::fuzz
