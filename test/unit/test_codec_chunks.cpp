#include "wire/chunk_codec.hpp"
#include "wire/row_codec.hpp"
#include "common/limits.hpp"

#include "duckdb.hpp"
#include "duckdb/common/types/column/column_data_collection.hpp"
#include "duckdb/common/types/uuid.hpp"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>

namespace duckherder {
namespace {

using duckdb::ColumnDataCollection;
using duckdb::DataChunk;
using duckdb::idx_t;
using duckdb::LogicalType;
using duckdb::Value;
using Batches = std::vector<std::shared_ptr<arrow::RecordBatch>>;

constexpr auto CONSTANT = duckdb::VectorType::CONSTANT_VECTOR;
constexpr auto DICTIONARY = duckdb::VectorType::DICTIONARY_VECTOR;

Batches EncodeChunk(ChunkEncoder &encoder, DataChunk &chunk) {
	Batches batches;
	idx_t position = 0;
	while (position < chunk.size()) {
		if (auto batch = encoder.Append(chunk, position)) {
			batches.push_back(batch);
		}
	}
	return batches;
}

//! Through bytes and back, at an address that is as unfortunate as a network buffer's
std::shared_ptr<arrow::RecordBatch> OverTheWire(const std::shared_ptr<arrow::RecordBatch> &batch) {
	auto bytes = arrow::ipc::SerializeRecordBatch(*batch, arrow::ipc::IpcWriteOptions::Defaults()).ValueOrDie();
	auto moved = arrow::Buffer::FromString(std::string(3, ' ') + bytes->ToString());
	arrow::io::BufferReader reader(arrow::SliceBuffer(moved, 3));
	arrow::ipc::DictionaryMemo memo;
	auto options = arrow::ipc::IpcReadOptions::Defaults();
	return arrow::ipc::ReadRecordBatch(batch->schema(), &memo, options, &reader).ValueOrDie();
}

std::unique_ptr<ColumnDataCollection> Decode(const duckdb::vector<LogicalType> &types, const Batches &batches) {
	auto result = std::make_unique<ColumnDataCollection>(duckdb::Allocator::DefaultAllocator(), types);
	ChunkDecoder decoder(types);
	DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
	for (auto &batch : batches) {
		decoder.SetBatch(OverTheWire(batch));
		while (true) {
			decoder.Next(chunk);
			if (chunk.size() == 0) {
				break;
			}
			chunk.Verify();
			result->Append(chunk);
		}
	}
	return result;
}

bool Same(const Value &left, const Value &right) {
	if (left.IsNull() != right.IsNull() || !Value::NotDistinctFrom(left, right)) {
		return false;
	}
	// the text tells -0.0 from 0.0
	return left.type().id() == duckdb::LogicalTypeId::VARCHAR || left.ToString() == right.ToString();
}

void ExpectSameRows(ColumnDataCollection &left, ColumnDataCollection &right) {
	ASSERT_EQ(left.Count(), right.Count());
	ASSERT_EQ(left.Types(), right.Types());
	auto left_rows = left.GetRows();
	auto right_rows = right.GetRows();
	for (idx_t row = 0; row < left.Count(); row++) {
		for (idx_t column = 0; column < left.ColumnCount(); column++) {
			auto before = left_rows.GetValue(column, row);
			auto after = right_rows.GetValue(column, row);
			ASSERT_TRUE(Same(before, after))
			    << "row " << row << ", column " << column << " of type " << left.Types()[column].ToString() << ": "
			    << before.ToString() << " / " << after.ToString();
		}
	}
}

//! Reads a collection, the chunks as they are
class CollectionReader : public ChunkReader {
public:
	explicit CollectionReader(ColumnDataCollection &rows_p) : rows(rows_p) {
		rows.InitializeScan(state);
	}
	void Next(DataChunk &chunk) override {
		rows.Scan(state, chunk);
		batch++;
	}
	idx_t BatchIndex() const override {
		return batch;
	}

private:
	ColumnDataCollection &rows;
	duckdb::ColumnDataScanState state;
	idx_t batch = 0;
};

std::optional<std::string> Encode(ColumnDataCollection &rows, uint64_t bytes_max = 1ULL << 30) {
	CollectionReader reader(rows);
	return EncodeRows(reader, rows.Types(), bytes_max);
}

std::unique_ptr<ColumnDataCollection> Decode(const std::string &bytes, const duckdb::vector<LogicalType> &types) {
	auto result = std::make_unique<ColumnDataCollection>(duckdb::Allocator::DefaultAllocator(), types);
	auto source = DecodeRows(std::make_shared<const std::string>(bytes), types);
	auto reader = source->OpenReader();
	DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
	while (true) {
		chunk.Reset();
		reader->Next(chunk);
		if (chunk.size() == 0) {
			return result;
		}
		result->Append(chunk);
	}
}

class ChunkCodec : public testing::Test {
protected:
	duckdb::DuckDB db {nullptr};
	duckdb::Connection connection {db};

	duckdb::unique_ptr<duckdb::MaterializedQueryResult> Query(const std::string &sql) {
		auto result = connection.Query(sql);
		if (result->HasError()) {
			result->ThrowError();
		}
		return result;
	}

	//! What the query returns must come out as it is; `change` may put the vectors of each chunk into other forms
	void ExpectTravels(const std::string &sql, const std::function<void(DataChunk &)> &change = nullptr) {
		SCOPED_TRACE(sql);
		auto result = Query(sql);
		auto &rows = result->Collection();
		ChunkEncoder encoder(rows.Types());
		Batches batches;
		for (auto &chunk : rows.Chunks()) {
			if (change) {
				change(chunk);
			}
			auto some = EncodeChunk(encoder, chunk);
			batches.insert(batches.end(), some.begin(), some.end());
		}
		if (auto batch = encoder.Flush()) {
			batches.push_back(batch);
		}
		EXPECT_EQ(encoder.Flush(), nullptr);
		EXPECT_EQ(encoder.RowCount(), rows.Count());
		auto decoded = Decode(rows.Types(), batches);
		ExpectSameRows(rows, *decoded);
		auto bytes = Encode(rows);
		ASSERT_TRUE(bytes);
		ExpectSameRows(rows, *Decode(*bytes, rows.Types()));
	}
};

TEST_F(ChunkCodec, EveryTypeWithItsExtremesAndNull) {
	ExpectTravels("SELECT * FROM test_all_types()");
	auto names = Query("SELECT column_name FROM (DESCRIBE SELECT * FROM test_all_types())");
	ASSERT_GT(names->RowCount(), 50U);
	for (auto &row : names->Collection().GetRows()) {
		ExpectTravels("SELECT \"" + row.GetValue(0).ToString() + "\" FROM test_all_types()");
	}
}

TEST_F(ChunkCodec, EveryTypeInsideNestedTypes) {
	auto names = Query("SELECT column_name FROM (DESCRIBE SELECT * FROM test_all_types())");
	for (auto &row : names->Collection().GetRows()) {
		auto name = "\"" + row.GetValue(0).ToString() + "\"";
		ExpectTravels("SELECT [" + name + ", NULL, " + name + "], {'a': " + name + ", 'b': [{'c': " + name + "}]}, [[" +
		              name + "], [], NULL] FROM test_all_types()");
		ExpectTravels("SELECT array_value(" + name + ", NULL), union_value(u := " + name + ") FROM test_all_types()");
		ExpectTravels("SELECT list(" + name + ") FROM test_all_types()");
		ExpectTravels("SELECT map([1, 2], [" + name + ", NULL]) FROM test_all_types()");
	}
}

TEST_F(ChunkCodec, TypesThatTestAllTypesLeavesOut) {
	ExpectTravels("SELECT NULL AS n, [NULL], {'a': NULL}, [] AS e FROM range(3)");
	ExpectTravels("SELECT '{\"a\": 1}'::JSON AS j FROM range(3)");
	ExpectTravels("SELECT CASE WHEN i % 3 = 0 THEN NULL WHEN i % 3 = 1 THEN i::VARIANT ELSE "
	              "{'a': [i, NULL], 'b': 'x' || i}::VARIANT END AS v FROM range(5000) t(i)");
	ExpectTravels("SELECT 'POINT(1 2)'::GEOMETRY AS g, NULL::GEOMETRY FROM range(3)");
	ExpectTravels("SELECT '12:34:56.123456789'::TIME_NS, '-infinity'::TIMESTAMP_NS, 'infinity'::TIMESTAMP_S");
	ExpectTravels("SELECT (-0.0)::DOUBLE, 'nan'::DOUBLE, '-nan'::FLOAT, 'inf'::FLOAT, 1e-310::DOUBLE");
	ExpectTravels("SELECT to_microseconds(9223372036854775807), to_months(-2147483647), to_days(2147483647)");
	ExpectTravels("SELECT uuid(), 170141183460469231731687303715884105727::HUGEINT, (-1)::HUGEINT FROM range(2050)");
	ExpectTravels("SELECT i::DECIMAL(4,1), i::DECIMAL(9,2), i::DECIMAL(18,3), i::DECIMAL(38,4) FROM range(999) t(i)");
	ExpectTravels("SELECT '0'::BIT, repeat('10', 1000)::BIT, 'a\\x00b'::BLOB, ''::BLOB, ''::VARCHAR, chr(0) || 'x'");
	Query("CREATE TYPE big AS ENUM (SELECT 'v' || i FROM range(70000) t(i))");
	ExpectTravels("SELECT ('v' || i * 7)::big, [('v' || i)::big] FROM range(0, 9000, 300) t(i)");
	ExpectTravels("SELECT CASE WHEN i % 2 = 0 THEN NULL ELSE union_value(s := 'x' || i)::UNION(n INT, s VARCHAR) END "
	              "FROM range(5000) t(i)");
}

TEST_F(ChunkCodec, NullsAndLengthsAtAllLevels) {
	ExpectTravels("SELECT CASE WHEN i % 7 = 0 THEN NULL ELSE list_transform(range(i % 5), lambda x: CASE WHEN x = 1 "
	              "THEN NULL ELSE {'a': x, 's': repeat('s', x * 6), 'l': range(x)} END) END, i FROM range(10000) t(i)");
	ExpectTravels("SELECT [i, NULL, -i]::BIGINT[3], [['a' || i, NULL], NULL]::VARCHAR[2][2] FROM range(5000) t(i) "
	              "UNION ALL SELECT NULL, NULL FROM range(5) UNION ALL SELECT [7, 8, 9], [NULL, NULL]");
	ExpectTravels(
	    "SELECT CASE WHEN i % 4 = 0 THEN NULL ELSE {'x': CASE WHEN i % 6 = 0 THEN NULL ELSE {'y': i} END} END "
	    "FROM range(5000) t(i)");
	ExpectTravels("SELECT i, 'short' || i, repeat('long', i % 50), i % 2 = 0 FROM range(200000) t(i)");
}

TEST_F(ChunkCodec, VectorsThatAreNotFlat) {
	auto sql = "SELECT * FROM test_all_types()";
	for (idx_t row = 0; row < 3; row++) {
		ExpectTravels(sql, [&](DataChunk &chunk) {
			DataChunk copy;
			copy.Initialize(duckdb::Allocator::DefaultAllocator(), chunk.GetTypes());
			chunk.Copy(copy);
			for (idx_t column = 0; column < chunk.ColumnCount(); column++) {
				// rows 2, 1, 0 and then the right ones, so that selection and data differ
				duckdb::SelectionVector selection(chunk.size());
				for (idx_t i = 0; i < chunk.size(); i++) {
					selection.set_index(i, (i + row) % chunk.size());
				}
				duckdb::SelectionVector back(chunk.size());
				for (idx_t i = 0; i < chunk.size(); i++) {
					back.set_index((i + row) % chunk.size(), i);
				}
				copy.data[column].Slice(selection, chunk.size());
				copy.data[column].Flatten(chunk.size());
				chunk.data[column].Slice(copy.data[column], back, chunk.size());
				ASSERT_EQ(chunk.data[column].GetVectorType(), DICTIONARY);
			}
		});
	}
}

TEST_F(ChunkCodec, ConstantsAndSequences) {
	auto all = Query("SELECT * FROM test_all_types()");
	auto types = all->types;
	for (idx_t row = 0; row < 3; row++) {
		DataChunk chunk;
		chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
		chunk.SetCardinality(5);
		for (idx_t column = 0; column < types.size(); column++) {
			chunk.data[column].Reference(all->GetValue(column, row));
			ASSERT_EQ(chunk.data[column].GetVectorType(), CONSTANT);
		}
		ChunkEncoder encoder(types);
		EncodeChunk(encoder, chunk);
		auto decoded = Decode(types, {encoder.Flush()});
		auto rows = decoded->GetRows();
		ASSERT_EQ(rows.size(), 5U);
		for (idx_t column = 0; column < types.size(); column++) {
			for (idx_t i = 0; i < 5; i++) {
				EXPECT_TRUE(Same(all->GetValue(column, row), rows.GetValue(column, i))) << types[column].ToString();
			}
		}
	}
	DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), {LogicalType::BIGINT});
	chunk.data[0].Sequence(100, -3, 10);
	chunk.SetCardinality(10);
	ChunkEncoder encoder({LogicalType::BIGINT});
	EncodeChunk(encoder, chunk);
	auto decoded = Decode({LogicalType::BIGINT}, {encoder.Flush()});
	EXPECT_EQ(decoded->GetRows().GetValue(0, 9).GetValue<int64_t>(), 73);
}

TEST_F(ChunkCodec, NoRowsAndNoColumns) {
	ExpectTravels("SELECT * FROM test_all_types() LIMIT 0");
	DataChunk chunk;
	chunk.InitializeEmpty(duckdb::vector<LogicalType>());
	chunk.SetCardinality(2048);
	ChunkEncoder encoder({});
	for (idx_t i = 0; i < 3; i++) {
		EXPECT_TRUE(EncodeChunk(encoder, chunk).empty());
	}
	ChunkDecoder decoder({});
	DataChunk decoded;
	decoded.InitializeEmpty(duckdb::vector<LogicalType>());
	decoder.Next(decoded);
	EXPECT_EQ(decoded.size(), 0U);
	decoder.SetBatch(OverTheWire(encoder.Flush()));
	idx_t rows = 0;
	do {
		decoder.Next(decoded);
		rows += decoded.size();
	} while (decoded.size() > 0);
	EXPECT_EQ(rows, 3 * 2048U);
}

TEST_F(ChunkCodec, BatchesAreBounded) {
	auto result = Query("SELECT i, repeat('x', 1000) AS s FROM range(20000) t(i)");
	ChunkEncoder encoder(result->types);
	Batches batches;
	for (auto &chunk : result->Collection().Chunks()) {
		auto some = EncodeChunk(encoder, chunk);
		batches.insert(batches.end(), some.begin(), some.end());
	}
	batches.push_back(encoder.Flush());
	const auto least = 20000 * 1000 / limits::BATCH_BYTES;
	EXPECT_GE(batches.size(), least);
	EXPECT_LE(batches.size(), least + 2);
	auto narrow = Query("SELECT true AS b FROM range(200000)");
	ChunkEncoder narrow_encoder(narrow->types);
	idx_t full = 0;
	for (auto &chunk : narrow->Collection().Chunks()) {
		for (auto &batch : EncodeChunk(narrow_encoder, chunk)) {
			EXPECT_EQ(static_cast<uint64_t>(batch->num_rows()), limits::BATCH_ROWS);
			full++;
		}
	}
	EXPECT_EQ(full, 200000 / limits::BATCH_ROWS);
}

TEST_F(ChunkCodec, LargeValuesSplitAChunk) {
	// 200 values of 1 MB arrive in one chunk and leave in batches of at most 4 MB
	auto result = Query("SELECT repeat(chr(97 + (i % 26)::INT), 1000000) AS s FROM range(200) t(i)");
	ChunkEncoder encoder(result->types);
	Batches batches;
	for (auto &chunk : result->Collection().Chunks()) {
		auto some = EncodeChunk(encoder, chunk);
		batches.insert(batches.end(), some.begin(), some.end());
	}
	if (auto batch = encoder.Flush()) {
		batches.push_back(batch);
	}
	EXPECT_GE(batches.size(), 50U);
	EXPECT_LE(batches.size(), 100U);
	ExpectSameRows(result->Collection(), *Decode(result->types, batches));
	ExpectTravels("SELECT repeat('0123456789', 10000000) AS s, [repeat('x', 10000000)] AS l, 1 AS i");
}

TEST_F(ChunkCodec, RefusesWhatCannotTravel) {
	EXPECT_FALSE(HasWireType(LogicalType::POINTER));
	EXPECT_FALSE(HasWireType(LogicalType::ANY));
	EXPECT_FALSE(HasWireType(LogicalType::UNKNOWN));
	EXPECT_FALSE(HasWireType(LogicalType::LIST(LogicalType::POINTER)));
	EXPECT_FALSE(HasWireType(LogicalType::STRUCT({{"a", LogicalType::ARRAY(LogicalType::POINTER, 2)}})));
	EXPECT_TRUE(HasWireType(LogicalType::SQLNULL));
	EXPECT_TRUE(HasWireType(LogicalType::VARIANT()));
	EXPECT_THROW(ChunkEncoder({LogicalType::POINTER}), duckdb::NotImplementedException);
	EXPECT_THROW(ChunkDecoder({LogicalType::POINTER}), duckdb::NotImplementedException);
	auto everything = Query("SELECT * FROM test_all_types()");
	for (auto &type : everything->types) {
		EXPECT_TRUE(HasWireType(type)) << type.ToString();
	}
}

TEST_F(ChunkCodec, RefusesBatchesOfAnotherShape) {
	DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), {LogicalType::INTEGER});
	chunk.SetCardinality(3);
	ChunkEncoder encoder({LogicalType::INTEGER});
	EncodeChunk(encoder, chunk);
	auto batch = encoder.Flush();
	ChunkDecoder other({LogicalType::BIGINT});
	EXPECT_THROW(other.SetBatch(batch), duckdb::IOException);
	ChunkDecoder more({LogicalType::INTEGER, LogicalType::INTEGER});
	EXPECT_THROW(more.SetBatch(batch), duckdb::IOException);
	// says more rows than it has
	auto longer = arrow::RecordBatch::Make(batch->schema(), 100, batch->columns());
	ChunkDecoder same({LogicalType::INTEGER});
	EXPECT_THROW(same.SetBatch(longer), duckdb::IOException);
}

TEST_F(ChunkCodec, RowsInMessagesAreBounded) {
	auto result = Query("SELECT i, 'text ' || i AS s FROM range(5000) t(i)");
	auto &rows = result->Collection();
	auto bytes = Encode(rows);
	ASSERT_TRUE(bytes);
	EXPECT_TRUE(Encode(rows, bytes->size()));
	EXPECT_FALSE(Encode(rows, bytes->size() - 1));
	EXPECT_FALSE(Encode(rows, 0));
	auto none = Query("SELECT 1 AS i WHERE false");
	EXPECT_EQ(Encode(none->Collection(), 0), "");
	EXPECT_EQ(Decode("", none->Collection().Types())->Count(), 0U);
}

TEST_F(ChunkCodec, RowsInMessagesFollowEachOther) {
	auto result = Query("SELECT i, 'text ' || i AS s FROM range(5000) t(i)");
	auto bytes = Encode(result->Collection());
	ASSERT_TRUE(bytes);
	EXPECT_EQ(Decode(*bytes + *bytes, result->Collection().Types())->Count(), 10000U);
}

TEST_F(ChunkCodec, RefusesBytesThatAreNoRows) {
	auto result = Query("SELECT i, 'text ' || i AS s FROM range(100) t(i)");
	auto &types = result->Collection().Types();
	auto bytes = Encode(result->Collection());
	ASSERT_TRUE(bytes);
	for (size_t size = 1; size < bytes->size(); size++) {
		EXPECT_THROW(Decode(bytes->substr(0, size), types), duckdb::IOException) << size << " bytes";
	}
	EXPECT_THROW(Decode(*bytes + "x", types), duckdb::IOException);
	EXPECT_THROW(Decode(*bytes, {LogicalType::BIGINT}), duckdb::IOException);
	EXPECT_THROW(Decode(*bytes, {LogicalType::VARCHAR, LogicalType::BIGINT}), duckdb::IOException);
	EXPECT_THROW(Decode(std::string(64, '\xFF'), types), duckdb::IOException);
}

} // namespace
} // namespace duckherder
