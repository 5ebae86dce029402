//! Scans that are cut by the same ranges of a key: every row is read by the one task that has its key.

#include "engine/key_order.hpp"
#include "planner/split/clustered_scan.hpp"

#include "gtest/gtest.h"

#include <algorithm>
#include <map>
#include <random>

namespace duckherder {

using namespace duckdb;

namespace {

constexpr idx_t COLUMN = 3;

//! A scan whose row groups have these keys, in this order
std::shared_ptr<const ClusteredScan> ScanOf(const vector<vector<int64_t>> &groups) {
	auto result = std::make_shared<ClusteredScan>();
	auto &column = result->columns[COLUMN];
	column.type = LogicalType::BIGINT;
	idx_t row = 0;
	for (auto &keys : groups) {
		result->row_groups.push_back({0, row, keys.size()});
		column.bounds.push_back(
		    {*std::min_element(keys.begin(), keys.end()), *std::max_element(keys.begin(), keys.end())});
		row += keys.size();
	}
	return result;
}

vector<vector<int64_t>> Grouped(const vector<int64_t> &keys, idx_t rows) {
	vector<vector<int64_t>> groups;
	for (idx_t i = 0; i < keys.size(); i++) {
		if (i % rows == 0) {
			groups.emplace_back();
		}
		groups.back().push_back(keys[i]);
	}
	return groups;
}

vector<int64_t> Sorted(std::mt19937_64 &random, idx_t count, int64_t width) {
	vector<int64_t> keys;
	for (idx_t i = 0; i < count; i++) {
		keys.push_back(static_cast<int64_t>(random() % static_cast<uint64_t>(width)) - width / 3);
	}
	std::sort(keys.begin(), keys.end());
	return keys;
}

bool Reads(const KeyPiece &piece, idx_t scan, idx_t group, int64_t key) {
	auto &part = piece.parts[scan];
	auto in_groups = group >= part.first_group && group < part.end_group;
	return in_groups && (!part.has_others || (key >= piece.first_key && key <= piece.last_key));
}

//! Every row is read once, and rows with equal keys of all scans by the same task
void ExpectExact(const vector<vector<vector<int64_t>>> &scans, const vector<KeyPiece> &pieces) {
	std::map<int64_t, idx_t> task_of_key;
	for (idx_t scan = 0; scan < scans.size(); scan++) {
		for (idx_t group = 0; group < scans[scan].size(); group++) {
			for (auto key : scans[scan][group]) {
				vector<idx_t> readers;
				for (idx_t task = 0; task < pieces.size(); task++) {
					if (Reads(pieces[task], scan, group, key)) {
						readers.push_back(task);
					}
				}
				ASSERT_EQ(readers.size(), 1U) << "key " << key << " of scan " << scan;
				ASSERT_EQ(task_of_key.emplace(key, readers[0]).first->second, readers[0]) << "key " << key;
			}
		}
	}
}

vector<KeyPiece> Cut(const vector<vector<vector<int64_t>>> &scans, idx_t least, idx_t most) {
	vector<KeyedScan> keyed;
	for (auto &scan : scans) {
		keyed.push_back({ScanOf(scan), COLUMN});
	}
	return CutByKey(keyed, least, most);
}

} // namespace

TEST(KeyRanges, RowsWithEqualKeysAreInOneTask) {
	std::mt19937_64 random(18);
	idx_t cut = 0;
	for (idx_t round = 0; round < 300; round++) {
		vector<vector<vector<int64_t>>> scans;
		auto width = static_cast<int64_t>(10 + random() % 3000);
		for (idx_t scan = 0; scan < 1 + round % 3; scan++) {
			auto keys = Sorted(random, 400 / (scan + 1) + random() % 400, width);
			if (random() % 3 == 0) {
				std::reverse(keys.begin(), keys.end());
			}
			scans.push_back(Grouped(keys, 8 + random() % 20));
		}
		auto pieces = Cut(scans, 2, 2 + random() % 8);
		cut += pieces.empty() ? 0 : 1;
		ExpectExact(scans, pieces.empty() ? Cut(scans, 1, 1) : pieces);
	}
	EXPECT_GT(cut, 150U);
}

TEST(KeyRanges, NoRangeIsCutOffAtTheEndsOfTheType) {
	auto smallest = NumericLimits<int64_t>::Minimum();
	auto largest = NumericLimits<int64_t>::Maximum();
	vector<vector<int64_t>> base {{smallest, smallest}, {-5, 0}, {7, 9}, {largest, largest}};
	vector<vector<int64_t>> other {{smallest}, {3}, {largest}};
	for (idx_t pieces : {2, 4}) {
		auto result = Cut({base, other}, pieces, pieces);
		ASSERT_EQ(result.size(), pieces);
		ExpectExact({base, other}, result);
	}
}

TEST(KeyRanges, AValueMayLieOnBothSidesOfABorder) {
	vector<vector<int64_t>> base {{1, 2, 3, 4},     {4, 5, 6, 7},     {7, 8, 9, 9},     {9, 10, 11, 12},
	                              {12, 13, 14, 15}, {15, 16, 17, 18}, {18, 19, 20, 21}, {21, 22, 23, 24}};
	auto pieces = Cut({base}, 2, 2);
	ASSERT_EQ(pieces.size(), 2U);
	ExpectExact({base}, pieces);
	// the rows with 12 of the row group before the border
	EXPECT_EQ(pieces[1].parts[0].first_group, 3U);
	EXPECT_TRUE(pieces[1].parts[0].has_others);
	std::reverse(base.begin(), base.end());
	ExpectExact({base}, Cut({base}, 2, 2));
}

TEST(KeyRanges, ThousandsOfWorkersAndRowGroups) {
	vector<vector<int64_t>> base;
	vector<vector<int64_t>> heads;
	for (int64_t group = 0; group < 20000; group++) {
		base.push_back({group * 10, group * 10 + 3, group * 10 + 10});
		if (group % 4 == 0) {
			heads.push_back({group * 10, group * 10 + 39});
		}
	}
	auto pieces = Cut({base, heads}, 1000, 4000);
	EXPECT_GE(pieces.size(), 1000U);
	ExpectExact({{base.begin(), base.begin() + 200}, {heads.begin(), heads.begin() + 50}}, pieces);
	// each of the tasks would read all of one row group
	vector<int64_t> wide;
	for (int64_t i = 0; i < 100; i++) {
		wide.push_back(i * 2000);
	}
	EXPECT_TRUE(Cut({base, heads, {wide}}, 1000, 4000).empty());
}

TEST(KeyRanges, NotWhereOneValueIsEverywhere) {
	EXPECT_TRUE(Cut({{{7, 7}, {7, 7}, {7, 7}, {7, 7}}}, 2, 4).empty());
}

TEST(KeyRanges, NotWhereATaskHasAlmostAll) {
	vector<vector<int64_t>> base {{1, 2}, {3, 4}, {5, 6}, {7, 8}};
	vector<vector<int64_t>> late {{7, 7, 7, 7}, {7, 7, 7, 8}, {8, 8, 8, 8}, {8, 8, 8, 9}};
	EXPECT_TRUE(Cut({base, late}, 2, 4).empty());
	EXPECT_EQ(Cut({base, base}, 2, 4).size(), 4U);
}

TEST(KeyRanges, NotWhereMuchIsReadTwice) {
	vector<vector<int64_t>> base {{1, 2}, {3, 4}, {5, 6}, {7, 8}};
	// each task would read the only row group
	EXPECT_TRUE(Cut({base, {{1, 2, 3, 4, 5, 6, 7, 8}}}, 2, 4).empty());
}

TEST(KeyRanges, AllTypesKeepTheirOrder) {
	const vector<Value> values {Value::TINYINT(-128),
	                            Value::TINYINT(127),
	                            Value::UBIGINT(0),
	                            Value::UBIGINT(NumericLimits<uint64_t>::Maximum()),
	                            Value::BIGINT(-1),
	                            Value::DATE(date_t(-7)),
	                            Value::UTINYINT(255),
	                            Value::TIMESTAMP(timestamp_t(123456789)),
	                            Value::INTEGER(1 << 30),
	                            Value::DECIMAL(int64_t(-12345), 18, 3),
	                            Value::DECIMAL(int16_t(99), 4, 2)};
	for (auto &value : values) {
		ASSERT_TRUE(HasKeyOrder(value.type())) << value.ToSQLString();
		auto back = KeyValue(value.type(), KeyOf(value));
		EXPECT_EQ(back.type(), value.type());
		EXPECT_EQ(back, value) << value.ToSQLString();
	}
	EXPECT_LT(KeyOf(Value::UBIGINT(1)), KeyOf(Value::UBIGINT(1ULL << 63)));
	EXPECT_LT(KeyOf(Value::DATE(date_t(-7))), KeyOf(Value::DATE(date_t(0))));
	const vector<LogicalType> others {LogicalType::DOUBLE, LogicalType::VARCHAR, LogicalType::HUGEINT,
	                                  LogicalType::DECIMAL(38, 2)};
	for (auto &type : others) {
		EXPECT_FALSE(HasKeyOrder(type));
		EXPECT_ANY_THROW(KeyValue(type, 1));
	}
}

} // namespace duckherder
