#include "wire/chunk_codec.hpp"
#include "common/limits.hpp"
#include "transport/flight/read_ahead.hpp"

#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <random>
#include <stdexcept>

//! Batches of numbers, dealt out to several readers
namespace duckherder {
namespace {

using Batch = ReadAhead::Batch;
using Part = ReadAhead::Part;

Batch NumbersFrom(int64_t first, int64_t count) {
	arrow::Int64Builder builder;
	EXPECT_TRUE(builder.Reserve(count).ok());
	for (int64_t i = 0; i < count; i++) {
		builder.UnsafeAppend(first + i);
	}
	auto column = builder.Finish().ValueOrDie();
	return arrow::RecordBatch::Make(arrow::schema({arrow::field("i", arrow::int64())}), count, {column});
}

//! Batches of any size with the numbers below `total`, and then nothing or an error
class Numbers {
public:
	explicit Numbers(int64_t total_p, std::string error_p = "") : total(total_p), error(std::move(error_p)) {
	}

	Batch operator()() {
		calls++;
		if (next == total) {
			if (!error.empty()) {
				throw std::runtime_error(error);
			}
			return nullptr;
		}
		std::uniform_int_distribution<int64_t> sizes(1, int64_t(limits::BATCH_ROWS));
		auto count = std::min(sizes(random), total - next);
		next += count;
		return NumbersFrom(next - count, count);
	}

	std::atomic<uint64_t> calls {0};

private:
	const int64_t total;
	const std::string error;
	int64_t next = 0;
	std::mt19937_64 random {1};
};

void AddValues(const Batch &batch, std::vector<int64_t> &values) {
	auto &column = *batch->column_data(0);
	auto numbers = column.GetValues<int64_t>(1);
	values.insert(values.end(), numbers, numbers + column.length);
}

TEST(ReadAhead, EachPartGoesToOneReaderAndAllTogetherAreTheResult) {
	constexpr int64_t TOTAL = 3'000'000;
	Numbers numbers(TOTAL);
	ReadAhead ahead([&] { return numbers(); });
	std::vector<std::map<uint64_t, std::vector<int64_t>>> parts(4);
	std::vector<std::thread> readers;
	for (auto &mine : parts) {
		readers.emplace_back([&] {
			std::shared_ptr<Part> part;
			while (auto batch = ahead.Take(part)) {
				AddValues(batch, mine[part->number]);
			}
		});
	}
	for (auto &reader : readers) {
		reader.join();
	}
	std::map<uint64_t, std::vector<int64_t>> all;
	for (auto &mine : parts) {
		for (auto &part : mine) {
			EXPECT_TRUE(all.emplace(part.first, part.second).second) << "part " << part.first << " had two readers";
		}
	}
	int64_t expected = 0;
	for (auto &part : all) {
		auto rest = TOTAL - expected;
		EXPECT_EQ(part.second.size(), std::min<uint64_t>(limits::RESULT_PART_ROWS, rest)) << part.first;
		for (auto value : part.second) {
			ASSERT_EQ(value, expected++);
		}
	}
	EXPECT_EQ(expected, TOTAL);
}

TEST(ReadAhead, AnErrorComesAfterTheRowsBeforeItToEveryReader) {
	Numbers numbers(200'000, "broken");
	ReadAhead ahead([&] { return numbers(); });
	std::shared_ptr<Part> part;
	std::vector<int64_t> values;
	try {
		while (auto batch = ahead.Take(part)) {
			AddValues(batch, values);
		}
		FAIL() << "it looked like an end";
	} catch (std::runtime_error &error) {
		EXPECT_STREQ(error.what(), "broken");
	}
	EXPECT_EQ(values.size(), 200'000U);
	std::shared_ptr<Part> other;
	EXPECT_THROW(ahead.Take(other), std::runtime_error);
}

TEST(ReadAhead, ReadsNoMoreThanItsLimitWhileNobodyWaits) {
	Numbers numbers(100'000'000);
	ReadAhead ahead([&] { return numbers(); });
	std::shared_ptr<Part> part;
	auto taken = 0U;
	for (; taken < 20; taken++) {
		ASSERT_TRUE(ahead.Take(part));
		// a batch may end one part and begin another
		EXPECT_LE(numbers.calls, taken + 1 + limits::READ_AHEAD_BATCHES + 1);
	}
}

TEST(ReadAhead, AReaderThatWaitsForItsPartGetsItThoughAnotherOneDoesNotReadOn) {
	Numbers numbers(int64_t(limits::RESULT_PART_ROWS) * 2);
	ReadAhead ahead([&, small = 0]() mutable {
		// so many batches that the limit alone would end the reading before the part is complete
		return small++ < 50 ? NumbersFrom(0, 10) : numbers();
	});
	std::shared_ptr<Part> first;
	ASSERT_TRUE(ahead.Take(first));
	std::shared_ptr<Part> second;
	ASSERT_TRUE(ahead.Take(second));
	EXPECT_EQ(first->number, 0U);
	EXPECT_EQ(second->number, 1U);
}

TEST(ReadAhead, WhoIsCalledMayDestroyIt) {
	std::promise<void> may_read;
	std::promise<void> destroyed;
	auto ahead = std::make_unique<ReadAhead>([&, turn = 0]() mutable {
		if (turn++ == 0) {
			may_read.get_future().wait();
		}
		return NumbersFrom(0, 1);
	});
	std::shared_ptr<Part> part;
	Batch batch;
	ASSERT_FALSE(ahead->TryTake(part, batch, [&] {
		ahead.reset();
		destroyed.set_value();
	}));
	may_read.set_value();
	destroyed.get_future().wait();
	EXPECT_FALSE(ahead);
}

TEST(ReadAhead, IsDestroyedWhileItWaitsForReaders) {
	Numbers numbers(100'000'000);
	ReadAhead ahead([&] { return numbers(); });
	std::shared_ptr<Part> part;
	ASSERT_TRUE(ahead.Take(part));
}

} // namespace
} // namespace duckherder
