#include "engine/key_sample.hpp"
#include "exchange/partitioner.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace duckherder;
using duckdb::DataChunk;
using duckdb::idx_t;
using duckdb::LogicalType;
using duckdb::Value;

namespace {

using Rows = std::vector<std::vector<Value>>;

//! Calls `use` with the rows, chunk by chunk
template <class USE>
void EachChunk(const duckdb::vector<LogicalType> &types, const Rows &rows, USE use) {
	DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
	for (idx_t begin = 0; begin < rows.size(); begin += STANDARD_VECTOR_SIZE) {
		chunk.Reset();
		auto count = std::min<idx_t>(rows.size() - begin, STANDARD_VECTOR_SIZE);
		for (idx_t row = 0; row < count; row++) {
			for (idx_t column = 0; column < types.size(); column++) {
				chunk.SetValue(column, row, rows[begin + row][column]);
			}
		}
		chunk.SetCardinality(count);
		use(chunk);
	}
}

KeySample Sample(const duckdb::vector<LogicalType> &types, const Rows &rows, const std::vector<uint32_t> &columns,
                 const std::vector<KeyOrder> &orders) {
	KeySampler sampler(columns, orders);
	EachChunk(types, rows, [&](DataChunk &chunk) { sampler.Add(chunk); });
	KeySample result;
	result.Add(sampler.Finish());
	return result;
}

//! Rows of each partition, in their order
std::vector<Rows> Partition(const Exchange &exchange, const duckdb::vector<LogicalType> &types, const Rows &rows) {
	std::vector<Rows> result(exchange.partition_count);
	Partitioner partitioner(exchange);
	idx_t row = 0;
	EachChunk(types, rows, [&](DataChunk &chunk) {
		auto partitions = partitioner.Partition(chunk);
		for (idx_t i = 0; i < chunk.size(); i++) {
			result.at(partitions[i]).push_back(rows[row++]);
		}
	});
	return result;
}

Exchange ByRange(std::vector<uint32_t> columns, std::vector<KeyOrder> orders, uint32_t partitions,
                 std::vector<std::string> bounds) {
	Exchange exchange;
	exchange.kind = ExchangeKind::RANGE;
	exchange.key_columns = std::move(columns);
	exchange.key_orders = std::move(orders);
	exchange.partition_count = partitions;
	exchange.bounds = std::move(bounds);
	return exchange;
}

Rows RandomRows(idx_t count, int64_t different) {
	std::mt19937_64 random(42);
	Rows rows;
	for (idx_t i = 0; i < count; i++) {
		auto value = static_cast<int64_t>(random() % static_cast<uint64_t>(different)) - different / 2;
		auto null = random() % 10 == 0;
		auto text = std::string(KeySample::KEY_BYTES_MAX, 'x') + std::to_string(random() % 100);
		rows.push_back({null ? Value(LogicalType::BIGINT) : Value::BIGINT(value), Value(text)});
	}
	return rows;
}

const duckdb::vector<LogicalType> TYPES {LogicalType::BIGINT, LogicalType::VARCHAR};

} // namespace

TEST(KeySample, RangesAreInOrderAndAboutEqual) {
	auto rows = RandomRows(60000, 1000000);
	for (auto descending : {false, true}) {
		for (auto nulls_first : {false, true}) {
			std::vector<KeyOrder> orders {{descending, nulls_first}, {false, false}};
			auto sample = KeySample::Decode(Sample(TYPES, rows, {0, 1}, orders).Encode());
			EXPECT_EQ(sample.parts.at(0).rows, rows.size());
			auto bounds = ChooseBounds({sample}, 7);
			EXPECT_TRUE(std::is_sorted(bounds.begin(), bounds.end()));
			auto ranges = Partition(ByRange({0, 1}, orders, 7, bounds), TYPES, rows);
			Value before;
			auto seen_null = false;
			for (auto &range : ranges) {
				Value low;
				Value high;
				auto has_null = false;
				for (auto &row : range) {
					if (row[0].IsNull()) {
						has_null = true;
						continue;
					}
					low = low.IsNull() || row[0] < low ? row[0] : low;
					high = high.IsNull() || high < row[0] ? row[0] : high;
				}
				auto &first = descending ? high : low;
				if (!before.IsNull() && !first.IsNull()) {
					EXPECT_TRUE(descending ? first <= before : before <= first);
				}
				// behind NULLs that are last nothing comes, and before those that are first
				EXPECT_FALSE(!nulls_first && seen_null && !first.IsNull());
				EXPECT_FALSE(nulls_first && !before.IsNull() && has_null);
				seen_null = seen_null || has_null;
				before = first.IsNull() ? before : (descending ? low : high);
				// NULL is a tenth of the rows, and only the text tells its rows apart
				EXPECT_LT(range.size(), rows.size() / 3);
			}
		}
	}
}

TEST(KeySample, EqualKeysStayTogether) {
	auto rows = RandomRows(20000, 3);
	auto bounds = ChooseBounds({Sample(TYPES, rows, {0}, {{false, true}})}, 16);
	EXPECT_LT(bounds.size(), 5U);
	auto ranges = Partition(ByRange({0}, {{false, true}}, 16, bounds), TYPES, rows);
	std::set<std::string> seen;
	for (auto &range : ranges) {
		std::set<std::string> values;
		for (auto &row : range) {
			values.insert(row[0].ToString());
		}
		for (auto &value : values) {
			EXPECT_TRUE(seen.insert(value).second) << value << " is in two ranges";
		}
	}
	EXPECT_EQ(seen.size(), 4U);
}

TEST(KeySample, EachRowIsAsLikely) {
	// numbers in order: of each tenth of the rows there is about a tenth of the sample
	Rows rows;
	for (int64_t i = 0; i < 100000; i++) {
		rows.push_back({Value::BIGINT(i), Value("")});
	}
	auto sample = Sample(TYPES, rows, {0}, {{false, false}});
	ASSERT_EQ(sample.KeyCount(), KeySample::WRITER_KEYS_MAX);
	auto bounds = ChooseBounds({sample}, 10);
	ASSERT_EQ(bounds.size(), 9U);
	for (auto &range : Partition(ByRange({0}, {{false, false}}, 10, bounds), TYPES, rows)) {
		EXPECT_GT(range.size(), 5000U);
		EXPECT_LT(range.size(), 16000U);
	}
}

TEST(KeySample, TasksCountByTheirRows) {
	// one task has 200 times as many rows as the other, and both report as many keys
	Rows few;
	Rows many;
	for (int64_t i = 0; i < 600; i++) {
		few.push_back({Value::BIGINT(i), Value("")});
	}
	for (int64_t i = 0; i < 120000; i++) {
		many.push_back({Value::BIGINT(1000 + i), Value("")});
	}
	std::vector<KeyOrder> orders {{false, false}};
	auto bounds = ChooseBounds({Sample(TYPES, few, {0}, orders), Sample(TYPES, many, {0}, orders)}, 4);
	auto ranges = Partition(ByRange({0}, orders, 4, bounds), TYPES, many);
	for (auto &range : ranges) {
		EXPECT_GT(range.size(), 20000U);
	}
}

TEST(KeySample, ManyWritersAreThinnedOut) {
	KeySample sample;
	for (int writer = 0; writer < 100; writer++) {
		KeySample::Part part;
		part.rows = 1000;
		for (size_t i = 0; i < KeySample::WRITER_KEYS_MAX; i++) {
			part.keys.push_back(std::to_string(i));
		}
		sample.Add(std::move(part));
	}
	EXPECT_LE(sample.KeyCount(), KeySample::KEYS_MAX);
	EXPECT_EQ(sample.parts.size(), 100U);
	for (auto &part : sample.parts) {
		EXPECT_GE(part.keys.size(), 1U);
	}
}

TEST(KeySample, NoRows) {
	KeySampler sampler({0}, {{false, false}});
	KeySample sample;
	sample.Add(sampler.Finish());
	EXPECT_EQ(sample.KeyCount(), 0U);
	EXPECT_TRUE(ChooseBounds({KeySample::Decode(sample.Encode())}, 8).empty());
	EXPECT_TRUE(ChooseBounds({}, 8).empty());
	// all rows are in one range then
	auto rows = RandomRows(10, 10);
	auto ranges = Partition(ByRange({0}, {{false, false}}, 8, {}), TYPES, rows);
	EXPECT_EQ(ranges[0].size(), 10U);
}

TEST(KeySample, WhatIsNoSample) {
	auto bytes = Sample(TYPES, RandomRows(100, 100), {0}, {{false, false}}).Encode();
	EXPECT_THROW(KeySample::Decode(""), duckdb::SerializationException);
	EXPECT_THROW(KeySample::Decode("not a sample"), duckdb::SerializationException);
	for (size_t length = 0; length < bytes.size(); length += 7) {
		EXPECT_THROW(KeySample::Decode(bytes.substr(0, length)), duckdb::SerializationException);
	}
	EXPECT_THROW(KeySampler({0, 1}, {{false, false}}), duckdb::InternalException);
	EXPECT_THROW(Partitioner(ByRange({0}, {{false, false}}, 2, {"a", "b"})), duckdb::InternalException);
	EXPECT_THROW(Partitioner(ByRange({0}, {}, 2, {"a"})), duckdb::InternalException);
}
