#include "compat/results.hpp"
#include "compat/vectors.hpp"
#include "exchange/exchange_sink.hpp"
#include "exchange/partitioner.hpp"
#include "unit/test_worker_harness.hpp"

using namespace duckherder;
using duckdb::LogicalType;
using duckdb::Value;
using duckdb::vector;

namespace {

//! Runs a query of a worker's own database into an output
std::shared_ptr<OutputBuffer> RunInto(duckdb::Connection &connection, const std::string &sql,
                                      const Exchange &exchange) {
	auto prepared = connection.Prepare(sql);
	EXPECT_FALSE(prepared->HasError()) << prepared->GetError();
	auto types = prepared->GetTypes();
	if (exchange.column_count > 0) {
		types.resize(exchange.column_count);
	}
	auto output = std::make_shared<OutputBuffer>(connection.context->db, types, exchange.partition_count);
	InstallExchangeSink(*connection.context, exchange, output);
	auto result = connection.Query(sql);
	RemoveExchangeSink(*connection.context);
	EXPECT_FALSE(result->HasError()) << result->GetError();
	return output;
}

Rows Expected(duckdb::Connection &connection, const std::string &sql) {
	Rows rows;
	auto result = connection.Query(sql);
	EXPECT_FALSE(result->HasError()) << result->GetError();
	while (auto chunk = result->Fetch()) {
		for (duckdb::idx_t i = 0; i < chunk->size(); i++) {
			rows.push_back(RowText(*chunk, i));
		}
	}
	return rows;
}

Rows AllPartitions(OutputBuffer &output) {
	Rows rows;
	for (uint32_t i = 0; i < output.PartitionCount(); i++) {
		auto partition = ReadAll(*output.Open(i));
		EXPECT_EQ(partition.size(), output.PartitionRows()[i]);
		Append(rows, partition);
	}
	return rows;
}

//! Several readers of one source, each on a thread; the rows by their batch indexes
Rows ReadTogether(ChunkSource &source, size_t reader_count) {
	std::mutex lock;
	std::map<duckdb::idx_t, Rows> batches;
	std::vector<std::thread> threads;
	for (size_t i = 0; i < reader_count; i++) {
		threads.emplace_back([&] {
			auto reader = source.OpenReader();
			duckdb::DataChunk chunk;
			chunk.Initialize(duckdb::Allocator::DefaultAllocator(), source.Types());
			duckdb::idx_t batch = 0;
			while (true) {
				chunk.Reset();
				reader->Next(chunk);
				if (chunk.size() == 0) {
					return;
				}
				EXPECT_GE(reader->BatchIndex(), batch);
				batch = reader->BatchIndex();
				std::lock_guard<std::mutex> guard(lock);
				for (duckdb::idx_t row = 0; row < chunk.size(); row++) {
					batches[batch].push_back(RowText(chunk, row));
				}
			}
		});
	}
	for (auto &thread : threads) {
		thread.join();
	}
	Rows rows;
	for (auto &batch : batches) {
		Append(rows, batch.second);
	}
	return rows;
}

Exchange Hash(uint32_t partitions, bool ordered = false, std::vector<uint32_t> keys = {0}) {
	Exchange exchange;
	exchange.kind = ExchangeKind::HASH;
	exchange.key_columns = std::move(keys);
	exchange.partition_count = partitions;
	exchange.ordered = ordered;
	return exchange;
}

class ExchangeSink : public ::testing::Test {
public:
	ExchangeSink() : db(OpenWorkerDatabase(Options())), connection(*db) {
		connection.Query(
		    "CREATE TABLE t AS SELECT i AS id, (i * 7919) % 1009 AS k, CASE WHEN i % 11 = 0 THEN NULL ELSE "
		    "'a text that does not fit inline ' || i END AS s FROM range(200000) r(i)");
	}
	static WorkerDatabaseOptions Options() {
		WorkerDatabaseOptions options;
		options.threads = 4;
		return options;
	}
	std::shared_ptr<duckdb::DuckDB> db;
	duckdb::Connection connection;
};

} // namespace

TEST_F(ExchangeSink, OrderedGatherKeepsTheOrderOfThePlan) {
	Exchange gather;
	for (std::string sql : {
	         "SELECT id, s FROM t",
	         "SELECT id FROM t WHERE id % 1000 < 3",
	         "SELECT id, k FROM t ORDER BY k, id DESC",
	         "SELECT id FROM t WHERE k > 1000 UNION ALL SELECT id + 1 FROM t WHERE k < 10 UNION ALL SELECT 5",
	         "SELECT id, row_number() OVER () FROM t",
	         "SELECT id FROM t LIMIT 150000 OFFSET 333",
	         "SELECT id, unnest([1, 2]) FROM t WHERE k = 7",
	     }) {
		auto output = RunInto(connection, sql, gather);
		auto expected = Expected(connection, sql);
		EXPECT_TRUE(ReadAll(*output->Open(0)) == expected) << sql;
		EXPECT_TRUE(ReadAll(*output->Open(0)) == expected) << "read again: " << sql;
		auto source = output->Open(0);
		EXPECT_TRUE(ReadTogether(*source, 4) == expected) << "with several readers: " << sql;
	}
}

TEST_F(ExchangeSink, OrderedHashKeepsTheOrderWithinEachPartition) {
	auto sql = "SELECT k, id FROM t WHERE id % 3 <> 1";
	auto output = RunInto(connection, sql, Hash(5, true));
	auto all = AllPartitions(*output);
	for (uint32_t partition = 0; partition < 5; partition++) {
		std::vector<int64_t> ids;
		for (auto &row : ReadAll(*output->Open(partition))) {
			ids.push_back(std::stoll(row.substr(row.find('|') + 1)));
		}
		EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
		EXPECT_GT(ids.size(), 15000);
	}
	EXPECT_TRUE(Sorted(all) == Sorted(Expected(connection, sql)));
}

TEST_F(ExchangeSink, HashPutsEachKeyInOnePartition) {
	for (uint32_t partitions : {2, 7, 64, 700, 4096}) {
		auto output = RunInto(connection, "SELECT k, id, s FROM t", Hash(partitions));
		std::map<std::string, uint32_t> partition_of_key;
		uint64_t rows = 0;
		for (uint32_t i = 0; i < partitions; i++) {
			for (auto &row : ReadAll(*output->Open(i))) {
				rows++;
				auto key = row.substr(0, row.find('|'));
				EXPECT_EQ(partition_of_key.emplace(key, i).first->second, i);
			}
		}
		EXPECT_EQ(rows, 200000);
		EXPECT_EQ(partition_of_key.size(), 1009);
	}
}

TEST_F(ExchangeSink, ColumnsThatWereOnlyHashedStayBehind) {
	auto exchange = Hash(4, false, {2});
	exchange.column_count = 2;
	auto output = RunInto(connection, "SELECT id, s, k + 1 FROM t", exchange);
	EXPECT_EQ(output->Types().size(), 2);
	EXPECT_TRUE(Sorted(AllPartitions(*output)) == Sorted(Expected(connection, "SELECT id, s FROM t")));
}

TEST_F(ExchangeSink, EmptyResultsAndEmptyPartitions) {
	auto output = RunInto(connection, "SELECT id, s FROM t WHERE id < 0", Hash(8));
	EXPECT_TRUE(AllPartitions(*output).empty());
	EXPECT_EQ(output->Open(3)->MaxReaders(), 1);
	output = RunInto(connection, "SELECT 1 AS x", Hash(8));
	EXPECT_EQ(AllPartitions(*output), Rows {"1"});
	Exchange gather;
	output = RunInto(connection, "SELECT id FROM t LIMIT 0", gather);
	EXPECT_TRUE(AllPartitions(*output).empty());
}

TEST_F(ExchangeSink, CountsBytes) {
	auto output = RunInto(connection, "SELECT id, k FROM t", Hash(4));
	uint64_t total = 0;
	for (uint32_t i = 0; i < 4; i++) {
		EXPECT_EQ(output->PartitionBytes()[i], output->PartitionRows()[i] * 16);
		total += output->PartitionBytes()[i];
	}
	EXPECT_EQ(total, 200000 * 16);
	output = RunInto(connection, "SELECT repeat('x', 100) FROM t WHERE id < 1000", Exchange());
	EXPECT_EQ(output->PartitionBytes()[0], 1000 * 116);
}

TEST_F(ExchangeSink, AllTypes) {
	// copies of each row, so that chunks of nested types are cut and joined; the largest bignum takes ms to print
	auto sql =
	    "SELECT a.* EXCLUDE (bignum), (i * 12345678912345)::BIGNUM AS b, i FROM test_all_types() a, range(700) r(i)";
	auto expected = Expected(connection, sql);
	ASSERT_EQ(expected.size(), 2100);
	for (bool ordered : {true, false}) {
		Exchange gather;
		gather.ordered = ordered;
		auto output = RunInto(connection, sql, gather);
		EXPECT_TRUE(Sorted(AllPartitions(*output)) == Sorted(expected)) << ordered;
	}
	auto column_count = uint32_t(connection.Prepare(sql)->GetTypes().size());
	auto output = RunInto(connection, sql, Hash(16, false, {column_count - 1}));
	EXPECT_TRUE(Sorted(AllPartitions(*output)) == Sorted(expected));
	// each type as the key
	for (uint32_t column = 0; column < column_count; column++) {
		auto by_column = RunInto(connection, sql, Hash(3, false, {column}));
		auto rows = by_column->PartitionRows();
		EXPECT_EQ(rows[0] + rows[1] + rows[2], 2100) << column;
	}
}

TEST_F(ExchangeSink, OutputOutlivesItsDatabaseHandle) {
	auto output = RunInto(connection, "SELECT id FROM t WHERE id < 10", Exchange());
	auto source = output->Open(0);
	output.reset();
	duckdb::DuckDB other(nullptr);
	connection = duckdb::Connection(other);
	db.reset();
	EXPECT_EQ(ReadAll(*source).size(), 10);
}

TEST_F(ExchangeSink, SpillsUnderASmallMemoryLimit) {
	auto options = Options();
	options.memory_limit = "40MB";
	options.threads = 2;
	auto small = OpenWorkerDatabase(options);
	duckdb::Connection worker(*small);
	// 150 MB of rows
	auto sql = "SELECT i, repeat('text ' || i, 20) AS s FROM range(500000) t(i)";
	for (uint32_t partitions : {1, 8, 200}) {
		auto output = RunInto(worker, sql, partitions == 1 ? Exchange() : Hash(partitions));
		uint64_t bytes = 0;
		uint64_t rows = 0;
		int64_t sum = 0;
		for (uint32_t i = 0; i < partitions; i++) {
			bytes += output->PartitionBytes()[i];
			auto source = output->Open(i);
			auto reader = source->OpenReader();
			duckdb::DataChunk chunk;
			chunk.Initialize(duckdb::Allocator::DefaultAllocator(), source->Types());
			while (true) {
				chunk.Reset();
				reader->Next(chunk);
				if (chunk.size() == 0) {
					break;
				}
				rows += chunk.size();
				chunk.Flatten();
				for (duckdb::idx_t row = 0; row < chunk.size(); row++) {
					auto number = duckdb::FlatVector::GetData<int64_t>(chunk.data[0])[row];
					sum += number;
					if (number % 1000 == 0) {
						std::string text;
						for (int repeat = 0; repeat < 20; repeat++) {
							text += "text " + std::to_string(number);
						}
						ASSERT_EQ(chunk.GetValue(1, row).ToString(), text);
					}
				}
			}
		}
		EXPECT_EQ(rows, 500000);
		EXPECT_EQ(sum, 500000LL * 499999 / 2);
		EXPECT_GT(bytes, 100ULL << 20);
	}
}

TEST(Partitioner, EqualKeysMeetAndBitsAreMixed) {
	duckdb::DuckDB db(nullptr);
	duckdb::Connection connection(db);
	auto partitions = [&](const std::string &values, uint32_t count) {
		auto result = connection.Query("SELECT * FROM (VALUES " + values + ") t(a)");
		EXPECT_FALSE(result->HasError()) << result->GetError();
		Partitioner partitioner(Hash(count));
		auto chunk = result->Fetch();
		auto data = partitioner.Partition(*chunk);
		return std::vector<uint32_t>(data, data + chunk->size());
	};
	auto all_equal = [](const std::vector<uint32_t> &values) {
		return std::all_of(values.begin(), values.end(), [&](uint32_t value) { return value == values[0]; });
	};
	EXPECT_TRUE(all_equal(partitions("(0.0::DOUBLE), (-0.0::DOUBLE)", 4096)));
	EXPECT_TRUE(all_equal(partitions("('nan'::DOUBLE), (-'nan'::DOUBLE), ('inf'::DOUBLE - 'inf'::DOUBLE)", 4096)));
	EXPECT_TRUE(all_equal(partitions("('nan'::FLOAT), (-'nan'::FLOAT)", 4096)));
	EXPECT_TRUE(all_equal(partitions("(NULL::INTEGER), (NULL::INTEGER)", 4096)));
	EXPECT_TRUE(all_equal(partitions("(INTERVAL '1 month'), (INTERVAL '30 days'), (INTERVAL '720 hours')", 4096)));
	EXPECT_TRUE(all_equal(partitions("([0.0::DOUBLE, NULL]), ([-0.0::DOUBLE, NULL])", 4096)));

	// every partition gets its share, and so does every value of the bits that DuckDB's hash tables use in it
	auto result = connection.Query("SELECT i, hash(i) FROM range(200000) t(i)");
	Partitioner partitioner(Hash(8));
	std::map<uint32_t, std::map<uint64_t, uint64_t>> low_bits, radix_bits, salt_bits;
	while (auto chunk = result->Fetch()) {
		auto data = partitioner.Partition(*chunk);
		for (duckdb::idx_t i = 0; i < chunk->size(); i++) {
			auto hash = chunk->GetValue(1, i).GetValue<uint64_t>();
			low_bits[data[i]][hash & 15]++;
			radix_bits[data[i]][(hash >> 44) & 15]++;
			salt_bits[data[i]][hash >> 60]++;
		}
	}
	for (auto *bits : {&low_bits, &radix_bits, &salt_bits}) {
		ASSERT_EQ(bits->size(), 8);
		for (auto &partition : *bits) {
			ASSERT_EQ(partition.second.size(), 16);
			for (auto &value : partition.second) {
				// 200000 / 8 / 16 = 1562
				EXPECT_GT(value.second, 1350);
				EXPECT_LT(value.second, 1800);
			}
		}
	}
}
