#include "engine/aggregate_state.hpp"
#include "wire/chunk_codec.hpp"
#include "engine/key_set.hpp"
#include "wire/messages.hpp"
#include "wire/row_codec.hpp"

#include "duckdb.hpp"
#include "duckdb/common/types/hyperloglog.hpp"
#include "duckdb/function/aggregate_state.hpp"
#include "duckdb/planner/expression/bound_aggregate_expression.hpp"
#include "duckdb/planner/expression/bound_reference_expression.hpp"
#include "duckdb/planner/logical_operator.hpp"
#include "duckdb/storage/arena_allocator.hpp"

#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

// What the fuzz targets of test/fuzz found, one by one: each of these inputs made DuckDB or us use memory that is not
// there. docs/fuzzing.md has the list.
namespace duckherder {
namespace {

using duckdb::DataChunk;
using duckdb::idx_t;
using duckdb::IOException;
using duckdb::LogicalType;
using duckdb::LogicalTypeId;
using duckdb::SerializationException;
using duckdb::Value;

LogicalType Colour() {
	duckdb::Vector names(LogicalType::VARCHAR, idx_t(3));
	names.SetValue(0, Value("red"));
	names.SetValue(1, Value("green"));
	names.SetValue(2, Value("blue"));
	return LogicalType::ENUM(names, 3);
}

//! The bytes with the first of `from` replaced
std::string Replaced(std::string bytes, const std::string &from, const std::string &to) {
	auto at = bytes.find(from);
	EXPECT_NE(at, std::string::npos);
	return bytes.replace(at, from.size(), to);
}

std::string Field(uint8_t id, uint8_t value) {
	return {static_cast<char>(id), '\0', static_cast<char>(value)};
}

TEST(HostileBytes, AnEnumHasAsManyValuesAsItSays) {
	auto bytes = EncodeTypes({Colour()});
	ASSERT_EQ(DecodeTypes(bytes)[0], Colour());
	for (uint8_t number : {0, 2, 4, 100}) {
		EXPECT_THROW(DecodeTypes(Replaced(bytes, Field(200, 3), Field(200, number))), SerializationException);
		EXPECT_THROW(DecodeTypes(Replaced(bytes, Field(201, 3), Field(201, number))), SerializationException);
	}
}

TEST(HostileBytes, ATypeHasItsOwnParameters) {
	auto number = [](LogicalTypeId id) { return Field(100, static_cast<uint8_t>(id)); };
	auto plain = EncodeTypes({LogicalType::INTEGER});
	auto decimal = EncodeTypes({LogicalType::DECIMAL(4, 1)});
	for (auto id : {LogicalTypeId::LIST, LogicalTypeId::STRUCT, LogicalTypeId::ENUM, LogicalTypeId::ARRAY,
	                LogicalTypeId::MAP, LogicalTypeId::UNION, LogicalTypeId::VARIANT, LogicalTypeId::AGGREGATE_STATE}) {
		EXPECT_THROW(DecodeTypes(Replaced(plain, number(LogicalTypeId::INTEGER), number(id))), SerializationException);
		EXPECT_THROW(DecodeTypes(Replaced(decimal, number(LogicalTypeId::DECIMAL), number(id))),
		             SerializationException);
	}
	EXPECT_THROW(DecodeTypes(Replaced(plain, number(LogicalTypeId::INTEGER), number(LogicalTypeId::DECIMAL))),
	             SerializationException);
	EXPECT_THROW(DecodeTypes(Replaced(plain, number(LogicalTypeId::INTEGER), number(LogicalTypeId::UNBOUND))),
	             SerializationException);
}

TEST(HostileBytes, TypesAreNotEndlesslyDeep) {
	auto nested = [](int levels) {
		LogicalType type(LogicalType::INTEGER);
		for (auto level = 0; level < levels; level++) {
			type = LogicalType::LIST(type);
		}
		return EncodeTypes({type});
	};
	EXPECT_EQ(EncodeTypes(DecodeTypes(nested(1000))), nested(1000));
	EXPECT_THROW(DecodeTypes(nested(3000)), SerializationException);
}

TEST(HostileBytes, ListsAndTextsAreNotLongerThanTheirMessage) {
	// a text of 4 GB, a list of 2^62 parts
	auto bytes = EncodeParts({"text"});
	EXPECT_THROW(DecodeParts(Replaced(bytes, "\x04text", "\xFF\xFF\xFF\xFF\x0Ftext")), SerializationException);
	std::string many("\x0A\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x3F", 11);
	EXPECT_THROW(DecodeParts(Replaced(bytes, std::string("\x0A\x00\x01", 3), many)), SerializationException);
}

//! The only column of a batch with these values
std::shared_ptr<arrow::RecordBatch> Batch(const LogicalType &type, const std::vector<Value> &values) {
	DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), {type});
	for (idx_t i = 0; i < values.size(); i++) {
		chunk.SetValue(0, i, values[i]);
	}
	chunk.SetCardinality(values.size());
	ChunkEncoder encoder({type});
	idx_t position = 0;
	encoder.Append(chunk, position);
	return encoder.Flush();
}

//! Reads a batch of this type after one number in a buffer of its array has been changed
template <class T>
void Read(const LogicalType &type, const arrow::RecordBatch &batch, size_t buffer, size_t at, T value,
          bool of_child = false) {
	auto data = batch.column_data(0)->Copy();
	auto array = of_child ? data->child_data[0]->Copy() : data;
	auto bytes = array->buffers[buffer]->ToString();
	memcpy(bytes.data() + at * sizeof(T), &value, sizeof(T));
	array->buffers[buffer] = arrow::Buffer::FromString(bytes);
	if (of_child) {
		data->child_data[0] = array;
	}
	ChunkDecoder decoder({type});
	DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), {type});
	decoder.SetBatch(arrow::RecordBatch::Make(batch.schema(), batch.num_rows(), {data}));
	decoder.Next(chunk);
	for (idx_t row = 0; row < chunk.size(); row++) {
		EXPECT_FALSE(chunk.GetValue(0, row).ToString().empty());
	}
}

TEST(HostileBytes, OffsetsStayWithinTheirBatch) {
	auto texts = Batch(LogicalType::VARCHAR, {Value("one"), Value("two"), Value("three")});
	EXPECT_NO_THROW(Read<int64_t>(LogicalType::VARCHAR, *texts, 1, 1, 4));
	for (int64_t offset : {int64_t(-1), int64_t(1) << 40, int64_t(7)}) {
		EXPECT_THROW(Read<int64_t>(LogicalType::VARCHAR, *texts, 1, 1, offset), IOException) << offset;
	}
	auto type = LogicalType::LIST(LogicalType::INTEGER);
	auto list = Value::LIST(LogicalType::INTEGER, {Value::INTEGER(1), Value::INTEGER(2)});
	auto lists = Batch(type, {list, list, list});
	EXPECT_NO_THROW(Read<int64_t>(type, *lists, 1, 1, 3));
	for (int64_t offset : {int64_t(-1), int64_t(1) << 40, int64_t(5)}) {
		EXPECT_THROW(Read<int64_t>(type, *lists, 1, 1, offset), IOException) << offset;
	}
}

TEST(HostileBytes, ValuesAreOfTheirTypes) {
	auto flags = Batch(LogicalType::BOOLEAN, {Value::BOOLEAN(true), Value::BOOLEAN(false)});
	EXPECT_NO_THROW(Read<uint8_t>(LogicalType::BOOLEAN, *flags, 1, 1, 1));
	EXPECT_THROW(Read<uint8_t>(LogicalType::BOOLEAN, *flags, 1, 1, 2), IOException);
	auto colours = Batch(Colour(), {Value::ENUM(0, Colour()), Value::ENUM(2, Colour())});
	EXPECT_NO_THROW(Read<uint8_t>(Colour(), *colours, 1, 0, 1));
	EXPECT_THROW(Read<uint8_t>(Colour(), *colours, 1, 0, 3), IOException);
	auto either = LogicalType::UNION({{"n", LogicalType::BIGINT}, {"s", LogicalType::BLOB}});
	auto unions = Batch(either, {Value::BIGINT(1).DefaultCastAs(either)});
	EXPECT_THROW(Read<uint8_t>(either, *unions, 1, 0, 2, true), IOException);
	auto times = Batch(LogicalType::TIME, {Value::TIME(duckdb::dtime_t(5))});
	EXPECT_NO_THROW(Read<int64_t>(LogicalType::TIME, *times, 1, 0, 86400000000));
	EXPECT_THROW(Read<int64_t>(LogicalType::TIME, *times, 1, 0, 86400000001), IOException);
	EXPECT_THROW(Read<int64_t>(LogicalType::TIME, *times, 1, 0, -1), IOException);
	auto zoned = Batch(LogicalType::TIME_TZ, {Value::TIMETZ(duckdb::dtime_tz_t(duckdb::dtime_t(5), 3600))});
	EXPECT_THROW(Read<uint64_t>(LogicalType::TIME_TZ, *zoned, 1, 0, UINT64_MAX), IOException);
	// what is NULL may be anything
	auto nulls = Batch(LogicalType::BOOLEAN, {Value(LogicalType::BOOLEAN), Value::BOOLEAN(true)});
	EXPECT_NO_THROW(Read<uint8_t>(LogicalType::BOOLEAN, *nulls, 1, 0, 2));
}

TEST(HostileBytes, ABatchIsNoLargerThanOurs) {
	auto schema = WireSchema({});
	ChunkDecoder decoder({});
	std::vector<std::shared_ptr<arrow::ArrayData>> none;
	EXPECT_THROW(decoder.SetBatch(arrow::RecordBatch::Make(schema, int64_t(1) << 40, none)), IOException);
}

//! As a reader that is not ours: nothing it finds may be another exception
TEST(HostileBytes, FlippedBitsInRowsAreErrors) {
	class Once : public ChunkReader {
	public:
		explicit Once(DataChunk &rows_p) : rows(rows_p) {
		}
		void Next(DataChunk &chunk) override {
			if (!done) {
				chunk.Reference(rows);
			}
			done = true;
		}
		idx_t BatchIndex() const override {
			return 0;
		}

	private:
		DataChunk &rows;
		bool done = false;
	};
	duckdb::vector<LogicalType> types {LogicalType::LIST(LogicalType::VARCHAR), Colour()};
	DataChunk rows;
	rows.Initialize(duckdb::Allocator::DefaultAllocator(), types);
	rows.SetValue(0, 0, Value::LIST(LogicalType::VARCHAR, {Value("a text that is not inlined"), Value("b")}));
	rows.SetValue(1, 0, Value::ENUM(1, Colour()));
	rows.SetCardinality(1);
	Once once(rows);
	auto bytes = EncodeRows(once, types, 1 << 20);
	ASSERT_TRUE(bytes);
	for (size_t bit = 0; bit < bytes->size() * 8; bit++) {
		auto changed = *bytes;
		changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
		try {
			auto reader = DecodeRows(std::make_shared<const std::string>(changed), types)->OpenReader();
			DataChunk chunk;
			chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
			reader->Next(chunk);
			for (idx_t row = 0; row < chunk.size(); row++) {
				chunk.GetValue(0, row).ToString();
				chunk.GetValue(1, row).ToString();
			}
		} catch (const IOException &) {                   // NOLINT: that is what it should do
		} catch (const duckdb::InvalidInputException &) { // NOLINT: text that is no UTF-8
		}
	}
}

TEST(HostileBytes, PartitionsThatAreNotThereAreAnError) {
	std::vector<std::string> partitions(3);
	EXPECT_NO_THROW(DecodePartitions(partitions, 1, 2, {LogicalType::INTEGER}));
	EXPECT_THROW(DecodePartitions(partitions, 2, 2, {LogicalType::INTEGER}), IOException);
	EXPECT_THROW(DecodePartitions(partitions, 3, UINT32_MAX, {LogicalType::INTEGER}), IOException);
}

TEST(HostileBytes, NoKeySetIsAlwaysTheSameError) {
	auto bytes = KeySet(LogicalType::DECIMAL(9, 2), 18).Encode();
	for (size_t bit = 0; bit < bytes.size() * 8; bit++) {
		auto changed = bytes;
		changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
		try {
			KeySet::Decode(changed);
		} catch (const SerializationException &) { // NOLINT: that is what it should do
		}
	}
}

TEST(HostileBytes, RegistersOfAnApproximateCountAreBounded) {
	duckdb::DuckDB db(nullptr);
	duckdb::Connection connection(db);
	auto plan = connection.ExtractPlan("SELECT approx_count_distinct(i) FROM range(10) t(i)");
	auto *op = plan.get();
	while (op->type != duckdb::LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY) {
		op = op->children[0].get();
	}
	auto &aggregate = op->expressions[0]->Cast<duckdb::BoundAggregateExpression>();
	auto form = MakeFinal(aggregate, duckdb::make_uniq<duckdb::BoundReferenceExpression>(LogicalType::BLOB, 0U));
	auto size = form->function.state_size(form->function);
	duckdb::ArenaAllocator arena(duckdb::Allocator::DefaultAllocator());
	duckdb::AggregateInputData input(form->bind_info.get(), arena);
	std::vector<uint64_t> state(size / sizeof(uint64_t) + 1);
	auto address = duckdb::data_ptr_cast(state.data());
	form->function.initialize(form->function, address);
	auto combine = [&](uint8_t last_register) {
		std::string registers(size, '\0');
		registers.back() = static_cast<char>(last_register);
		duckdb::Vector blobs(Value::BLOB_RAW(registers));
		form->function.simple_update(&blobs, input, 1, address, 1);
	};
	EXPECT_NO_THROW(combine(duckdb::HyperLogLog::Q + 1));
	EXPECT_THROW(combine(duckdb::HyperLogLog::Q + 2), duckdb::InvalidInputException);
	EXPECT_THROW(combine(255), duckdb::InvalidInputException);
}

} // namespace
} // namespace duckherder
