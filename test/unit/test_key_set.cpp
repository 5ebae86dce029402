#include "engine/key_set.hpp"

#include "duckdb/common/vector_operations/vector_operations.hpp"

#include <gtest/gtest.h>

#include <random>

namespace duckherder {
namespace {

using duckdb::LogicalType;
using duckdb::SerializationException;
using duckdb::Value;
using duckdb::Vector;

void AddValues(KeySet &keys, const std::vector<Value> &values) {
	for (size_t begin = 0; begin < values.size(); begin += STANDARD_VECTOR_SIZE) {
		auto count = std::min<size_t>(values.size() - begin, STANDARD_VECTOR_SIZE);
		Vector vector(keys.Type(), count);
		for (size_t i = 0; i < count; i++) {
			vector.SetValue(i, values[begin + i].DefaultCastAs(keys.Type()));
		}
		keys.Add(vector, count);
	}
}

std::vector<Value> Numbers(int64_t first, int64_t end, int64_t step = 1) {
	std::vector<Value> result;
	for (auto i = first; i < end; i += step) {
		result.push_back(Value::BIGINT(i));
	}
	return result;
}

bool Contains(const KeySet &keys, int64_t number) {
	return keys.MayContain(Value::BIGINT(number).DefaultCastAs(keys.Type()).Hash());
}

TEST(KeySet, KnowsRangeAndValuesWhileThereAreFew) {
	KeySet keys(LogicalType::BIGINT, KeySet::LOG2_BITS_MIN);
	EXPECT_TRUE(keys.Empty());
	auto values = Numbers(-5, 6, 5);
	values.push_back(Value());
	values.push_back(Value::BIGINT(0));
	AddValues(keys, values);
	EXPECT_FALSE(keys.Empty());
	EXPECT_EQ(keys.Smallest(), Value::BIGINT(-5));
	EXPECT_EQ(keys.Largest(), Value::BIGINT(5));
	EXPECT_EQ(keys.Values().size(), 3U);
	AddValues(keys, Numbers(0, 1000));
	EXPECT_TRUE(keys.Values().empty());
	EXPECT_EQ(keys.Largest(), Value::BIGINT(999));
}

//! The set has the first `count` of them, and few others
void ExpectMultiplesOfThree(const KeySet &keys, int64_t count) {
	EXPECT_FALSE(keys.Saturated());
	int64_t lies = 0;
	for (int64_t i = 0; i < count; i++) {
		ASSERT_TRUE(Contains(keys, i * 3)) << i;
		lies += Contains(keys, i * 3 + 1) ? 1 : 0;
	}
	EXPECT_LE(lies, count / 30) << count;
}

TEST(KeySet, NeverForgetsAndSeldomLies) {
	for (int64_t count : {10, 1000, 3000, 100000}) {
		KeySet keys(LogicalType::INTEGER, KeySet::Log2BitsFor(static_cast<uint64_t>(count)));
		AddValues(keys, Numbers(0, count * 3, 3));
		keys.PrepareLookUps();
		ExpectMultiplesOfThree(keys, count);
	}
}

TEST(KeySet, TooManyForItsSizeSaturate) {
	KeySet keys(LogicalType::BIGINT, KeySet::LOG2_BITS_MIN);
	AddValues(keys, Numbers(0, 200000));
	EXPECT_TRUE(keys.Saturated());
	EXPECT_TRUE(Contains(keys, 12345));
}

TEST(KeySet, PartsMergeToTheWhole) {
	// lists with lists, lists with bits, bits with bits, nothing with something
	for (auto sizes : std::vector<std::pair<int64_t, int64_t>> {{3, 4}, {40, 40}, {3, 5000}, {5000, 9000}, {0, 7}}) {
		KeySet one(LogicalType::BIGINT, 20);
		auto two = one.EmptyCopy();
		auto all = one.EmptyCopy();
		AddValues(one, Numbers(0, sizes.first));
		AddValues(two, Numbers(100000, 100000 + sizes.second));
		AddValues(all, Numbers(0, sizes.first));
		AddValues(all, Numbers(100000, 100000 + sizes.second));
		one.Merge(KeySet::Decode(two.Encode()));
		EXPECT_EQ(one.Smallest(), all.Smallest());
		EXPECT_EQ(one.Largest(), all.Largest());
		EXPECT_EQ(one.Values().size(), all.Values().size());
		one.PrepareLookUps();
		all.PrepareLookUps();
		for (int64_t i = 0; i < 120000; i++) {
			ASSERT_EQ(Contains(one, i), Contains(all, i)) << i;
		}
	}
	KeySet numbers(LogicalType::BIGINT, 20);
	EXPECT_THROW(numbers.Merge(KeySet(LogicalType::INTEGER, 20)), duckdb::InternalException);
	EXPECT_THROW(numbers.Merge(KeySet(LogicalType::BIGINT, 21)), duckdb::InternalException);
}

TEST(KeySet, FewKeysInALargeSetTravelAsFewBytes) {
	KeySet keys(LogicalType::BIGINT, KeySet::LOG2_BITS_MAX);
	AddValues(keys, Numbers(0, 5000));
	auto bytes = keys.Encode();
	EXPECT_LT(bytes.size(), 70000U);
	auto decoded = KeySet::Decode(bytes);
	EXPECT_EQ(decoded.Encode(), bytes);
	auto whole = keys.EmptyCopy();
	whole.Merge(decoded);
	AddValues(decoded, Numbers(5000, 5100));
	keys.PrepareLookUps();
	decoded.PrepareLookUps();
	whole.PrepareLookUps();
	for (int64_t i = 0; i < 20000; i++) {
		ASSERT_EQ(Contains(whole, i), Contains(keys, i)) << i;
		ASSERT_TRUE(Contains(decoded, i) || !Contains(keys, i)) << i;
	}
	EXPECT_TRUE(Contains(decoded, 5099));
}

TEST(KeySet, FittedToItsKeysItStillSeldomLies) {
	for (int64_t count : {0, 10, 3000, 100000, 1000000}) {
		KeySet keys(LogicalType::BIGINT, KeySet::LOG2_BITS_MAX);
		AddValues(keys, Numbers(0, count * 3, 3));
		auto fitted = keys.Fitted();
		EXPECT_EQ(fitted.Smallest().ToString(), keys.Smallest().ToString());
		EXPECT_NEAR(fitted.Log2Bits(), KeySet::Log2BitsFor(static_cast<uint64_t>(count)), 1);
		fitted = KeySet::Decode(fitted.Encode());
		fitted.PrepareLookUps();
		ExpectMultiplesOfThree(fitted, count);
	}
}

TEST(KeySet, StringsAndOtherTypes) {
	KeySet strings(LogicalType::VARCHAR, KeySet::LOG2_BITS_MIN);
	AddValues(strings, {Value("a"), Value("a string that does not fit into its own place"), Value()});
	strings.PrepareLookUps();
	EXPECT_TRUE(strings.Smallest().IsNull());
	EXPECT_TRUE(strings.MayContain(Value("a").Hash()));
	EXPECT_FALSE(strings.MayContain(Value("b").Hash()));
	std::vector<LogicalType> supported {LogicalType::DATE, LogicalType::TIMESTAMP,      LogicalType::HUGEINT,
	                                    LogicalType::UUID, LogicalType::DECIMAL(18, 3), LogicalType::UTINYINT};
	for (auto &type : supported) {
		EXPECT_TRUE(KeySet::Supports(type)) << type.ToString();
	}
	std::vector<LogicalType> refused {LogicalType::DOUBLE, LogicalType::INTERVAL,
	                                  LogicalType::LIST(LogicalType::BIGINT), LogicalType::VARCHAR_COLLATION("NOCASE"),
	                                  LogicalType::BOOLEAN};
	for (auto &type : refused) {
		EXPECT_FALSE(KeySet::Supports(type)) << type.ToString();
		EXPECT_THROW(KeySet(type, 20), duckdb::InvalidInputException);
	}
}

TEST(KeySet, RefusesOtherBytes) {
	for (int64_t count : {5, 2100}) {
		KeySet keys(LogicalType::BIGINT, 20);
		AddValues(keys, Numbers(0, count));
		auto bytes = keys.Encode();
		for (size_t length = 0; length < bytes.size(); length += 1 + length / 1000) {
			EXPECT_THROW(KeySet::Decode(bytes.substr(0, length)), std::exception) << length;
		}
		// nothing that was changed may do more than fail or be another key set
		std::mt19937 random(1);
		for (int i = 0; i < 20000; i++) {
			auto changed = bytes;
			changed[random() % changed.size()] = static_cast<char>(random());
			try {
				auto other = KeySet::Decode(changed);
				other.PrepareLookUps();
				other.Saturated();
			} catch (const std::exception &) { // NOLINT: that is what it should do
			}
		}
	}
}

} // namespace
} // namespace duckherder
