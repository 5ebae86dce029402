#include "unit/test_worker_harness.hpp"

using namespace duckherder;
using duckdb::LogicalType;
using duckdb::vector;

namespace {

//! A Parquet file with several row groups: id 0..count-1, k = id % 97, text s
void WriteFile(Session &session, const std::string &path, uint64_t count, uint64_t first = 0) {
	session.Run("COPY (SELECT i AS id, i % 97 AS k, 'text of row ' || i AS s FROM range(" + std::to_string(first) +
	            ", " + std::to_string(first + count) + ") t(i)) TO '" + path +
	            "' (FORMAT parquet, ROW_GROUP_SIZE 10240)");
}

template <class SPLIT = RangeSplit>
ScanSplit RowSplit(const Fragments &fragments, const std::string &file, uint64_t start, uint64_t end) {
	ScanSplit split;
	split.table_index = fragments.table_indexes.at(0);
	split.part = SPLIT {{ScanFile(file), {start, end}}};
	return split;
}

//! Queries over the file of WriteFile, with the types of their columns
std::vector<std::pair<std::string, vector<LogicalType>>> QueriesOver(const std::string &file) {
	return {
	    {"SELECT s, id FROM '" + file + "'", {LogicalType::VARCHAR, LogicalType::BIGINT}},
	    {"SELECT s FROM '" + file + "' WHERE id % 5 = 2 AND k < 50 AND id > 100", {LogicalType::VARCHAR}},
	    {"SELECT id, file_row_number FROM '" + file + "' WHERE k = 3", {LogicalType::BIGINT, LogicalType::BIGINT}},
	    {"SELECT id FROM '" + file + "' WHERE file_row_number BETWEEN 777 AND 30000", {LogicalType::BIGINT}},
	    {"SELECT filename, id FROM read_parquet('" + file + "', filename = true)",
	     {LogicalType::VARCHAR, LogicalType::BIGINT}},
	    {"SELECT * FROM read_parquet('" + file + "', file_row_number = true) WHERE id > 40000",
	     {LogicalType::BIGINT, LogicalType::BIGINT, LogicalType::VARCHAR, LogicalType::BIGINT}},
	    {"SELECT 1 FROM '" + file + "'", {LogicalType::INTEGER}},
	};
}

//! Tasks of the splits between the borders together return what the query returns, in order too: GATHER is ordered
//! unless told otherwise.
template <class SPLIT>
void ExpectEachRowOnce(Session &session, const std::string &file, const std::vector<uint64_t> &borders) {
	Workers workers(1);
	for (auto &query : QueriesOver(file)) {
		auto fragments = session.Catch(query.first);
		Rows rows;
		uint64_t input_rows = 0;
		for (size_t i = 0; i + 1 < borders.size(); i++) {
			auto request = MakeRequest(fragments.whole, 0, TaskId(i));
			request.query_id = query.first;
			request.split = RowSplit<SPLIT>(fragments, file, borders[i], borders[i + 1]);
			auto location = workers.Run(0, request);
			Append(rows, workers.Read(location, request, 0, query.second));
			input_rows += workers.last.input_rows;
		}
		EXPECT_EQ(session.Query(query.first), rows) << query.first;
		EXPECT_EQ(input_rows, rows.size()) << query.first;
	}
}

} // namespace

TEST(WorkerTasks, FragmentRoundTrip) {
	Session session;
	TestDirectory directory;
	WriteFile(session, directory.File("a.parquet"), 50000);
	auto sql = "SELECT k, count(*), min(s) FROM '" + directory.File("a.parquet") +
	           "' WHERE id % 3 = 0 GROUP BY k HAVING count(*) > 10 ORDER BY 2 DESC, 1 LIMIT 20";
	auto fragments = session.Catch(sql);
	Workers workers(1);
	auto request = MakeRequest(fragments.whole);
	request.split = RowSplit(fragments, directory.File("a.parquet"), 0, ROWS_UNBOUNDED);
	auto location = workers.Run(0, request);
	auto types = vector<LogicalType> {LogicalType::BIGINT, LogicalType::BIGINT, LogicalType::VARCHAR};
	EXPECT_EQ(session.Query(sql), workers.Read(location, request, 0, types));
	// once more: an output can be read any number of times
	EXPECT_EQ(session.Query(sql), workers.Read(location, request, 0, types));
	EXPECT_EQ(workers.last.Rows(), 20);
}

TEST(WorkerTasks, RowRangesOfAFileCoverEachRowOnce) {
	Session session;
	TestDirectory directory;
	auto file = directory.File("a.parquet");
	WriteFile(session, file, 50000);
	ExpectEachRowOnce<RangeSplit>(session, file, {0, 5, 10240, 10241, 20480, 40960, 49999, ROWS_UNBOUNDED});
}

TEST(WorkerTasks, RowGroupsOfAFileCoverEachRowOnce) {
	Session session;
	TestDirectory directory;
	auto file = directory.File("a.parquet");
	WriteFile(session, file, 50000);
	ExpectEachRowOnce<RowGroupSplit>(session, file, {0, 10240, 30720, 40960, ROWS_UNBOUNDED});
	ExpectEachRowOnce<RowGroupSplit>(session, file, {0, 40960, 50000});
	ExpectEachRowOnce<RowGroupSplit>(session, file, {0, 50000});
}

TEST(WorkerTasks, RowGroupsOfAnotherFooterAreRefused) {
	Session session;
	TestDirectory directory;
	auto file = directory.File("a.parquet");
	WriteFile(session, file, 50000);
	auto fragments = session.Catch("SELECT id FROM '" + file + "'");
	Workers workers(1);
	for (auto &[start, end] : std::vector<std::pair<uint64_t, uint64_t>> {{0, 10241}, {5, 10240}, {40960, 50001}}) {
		auto request = MakeRequest(fragments.whole);
		request.split = RowSplit<RowGroupSplit>(fragments, file, start, end);
		auto result = workers.nodes[0]->RunTask(request, nullptr);
		ASSERT_TRUE(result.failed);
		EXPECT_NE(result.error.message.find("its row groups are others"), std::string::npos) << result.error.message;
	}
}

TEST(WorkerTasks, CountWithoutColumnsCountsOnlyTheRange) {
	Session session;
	TestDirectory directory;
	auto file = directory.File("a.parquet");
	WriteFile(session, file, 50000);
	// or the statistics alone would answer it
	session.Run("SET disabled_optimizers = 'late_materialization,statistics_propagation'");
	auto fragments = session.Catch("SELECT count(*) FROM '" + file + "'");
	Workers workers(1);
	auto request = MakeRequest(fragments.whole);
	request.split = RowSplit(fragments, file, 1000, 12345);
	auto location = workers.Run(0, request);
	EXPECT_EQ(workers.Read(location, request, 0, {LogicalType::BIGINT}), Rows {"11345"});
	EXPECT_EQ(workers.last.input_rows, 11345);
}

TEST(WorkerTasks, WholeFilesOfAList) {
	Session session;
	TestDirectory directory;
	for (int i = 0; i < 5; i++) {
		WriteFile(session, directory.File("f" + std::to_string(i) + ".parquet"), 3000, i * 3000);
	}
	for (std::string option : {"", ", union_by_name = true", ", hive_partitioning = false"}) {
		auto sql = "SELECT id, s FROM read_parquet('" + directory.File("*.parquet") + "'" + option + ")";
		auto fragments = session.Catch(sql);
		Workers workers(1);
		Rows rows;
		std::vector<std::vector<int>> groups = {{0, 1}, {2}, {3, 4}};
		for (size_t i = 0; i < groups.size(); i++) {
			auto request = MakeRequest(fragments.whole, 0, TaskId(i));
			request.split.table_index = fragments.table_indexes.at(0);
			auto &split = request.split.part.emplace<FileSplit>();
			for (auto file : groups[i]) {
				split.files.emplace_back(directory.File("f" + std::to_string(file) + ".parquet"));
			}
			auto location = workers.Run(0, request);
			Append(rows, workers.Read(location, request, 0, {LogicalType::BIGINT, LogicalType::VARCHAR}));
		}
		EXPECT_EQ(session.Query(sql), rows) << option;
	}
}

TEST(WorkerTasks, RowGroupsOutsideOfTheRangeAreNotRead) {
	Session session;
	TestDirectory directory;
	auto file = directory.File("a.parquet");
	WriteFile(session, file, 100000);
	// the filter that a split becomes, in a plain query, where the profile is at hand
	session.Run("SET custom_profiling_settings = '{\"OPERATOR_ROW_GROUPS_SCANNED\": \"true\", "
	            "\"OPERATOR_TYPE\": \"true\"}'");
	session.Run("PRAGMA enable_profiling = 'no_output'");
	session.Run("SELECT sum(length(s)) FROM '" + file + "' WHERE file_row_number >= 20480 AND file_row_number < 40960");
	auto profile = session.connection.GetProfilingInformation(duckdb::ProfilerPrintFormat::JSON);
	EXPECT_NE(profile.find("\"operator_row_groups_scanned\": 2"), std::string::npos) << profile;
}

Exchange ShuffledByKey(uint32_t partitions) {
	Exchange exchange;
	exchange.kind = ExchangeKind::HASH;
	exchange.ordered = false;
	exchange.partition_count = partitions;
	// the scan gives k first, the first column that the query names
	exchange.key_columns = {0};
	return exchange;
}

TEST(WorkerTasks, SmallOutputsTravelWithResultsAndRequests) {
	Session session;
	TestDirectory directory;
	auto file = directory.File("a.parquet");
	WriteFile(session, file, 1000);
	auto sql = "SELECT k, count(*), sum(id), max(s) FROM '" + file + "' GROUP BY k";
	auto fragments = session.Catch(sql);
	Workers workers(2);

	auto request = MakeRequest(fragments.scans.at(0), 0, 0);
	request.split = RowSplit(fragments, file, 0, ROWS_UNBOUNDED);
	request.output = ShuffledByKey(3);
	workers.Run(0, request);
	EXPECT_TRUE(workers.last.inline_rows.empty()) << "nobody has asked for them";
	request.attempt = 1;
	request.inline_bytes_max = 100;
	workers.Run(0, request);
	EXPECT_TRUE(workers.last.inline_rows.empty()) << "they are too large";
	request.attempt = 2;
	request.inline_bytes_max = 1 << 20;
	auto location = workers.Run(0, request);
	ASSERT_EQ(workers.last.inline_rows.size(), 3U);
	auto inline_rows = workers.last.inline_rows;

	// neither its worker nor its number exists: nobody may look for it
	location.attempt = 9;
	location.worker.id = "gone";
	Rows rows;
	for (uint32_t partition = 0; partition < 3; partition++) {
		location.rows = std::make_shared<const std::vector<std::string>>(inline_rows);
		StageInput input;
		input.outputs = {location};
		input.partition_count = 3;
		auto reading = MakeRequest(fragments.above_scans, 1, partition);
		reading.split.part = PartitionSplit {partition, 1, {}};
		reading.inputs = Inputs({input});
		auto output = workers.Run(1, reading);
		Append(rows,
		       workers.Read(output, reading, 0,
		                    {LogicalType::BIGINT, LogicalType::BIGINT, LogicalType::HUGEINT, LogicalType::VARCHAR}));
	}
	EXPECT_EQ(Sorted(session.Query(sql)), Sorted(rows));
}

TEST(WorkerTasks, HashExchangeBetweenTwoWorkers) {
	Session session;
	TestDirectory directory;
	auto file = directory.File("a.parquet");
	WriteFile(session, file, 100000);
	auto sql = "SELECT k, count(*), sum(id), max(s) FROM '" + file + "' GROUP BY k";
	auto fragments = session.Catch(sql);
	Workers workers(2);

	const uint32_t partitions = 3;
	StageInput input;
	std::vector<uint64_t> borders = {0, 30000, 60000, 90000, ROWS_UNBOUNDED};
	uint64_t shuffled = 0;
	for (uint32_t i = 0; i < 4; i++) {
		auto request = MakeRequest(fragments.scans.at(0), 0, i);
		request.split = RowSplit(fragments, file, borders[i], borders[i + 1]);
		request.output = ShuffledByKey(partitions);
		input.outputs.push_back(workers.Run(i % 2, request));
		EXPECT_EQ(workers.last.partition_rows.size(), partitions);
		shuffled += workers.last.Rows();
	}
	EXPECT_EQ(shuffled, 100000);

	Rows rows;
	for (uint32_t partition = 0; partition < partitions; partition++) {
		auto request = MakeRequest(fragments.above_scans, 1, partition);
		request.inputs = Inputs({input});
		request.split.part = PartitionSplit {partition, 1, {}};
		auto location = workers.Run(partition % 2, request);
		Append(rows,
		       workers.Read(location, request, 0,
		                    {LogicalType::BIGINT, LogicalType::BIGINT, LogicalType::HUGEINT, LogicalType::VARCHAR}));
	}
	EXPECT_EQ(Sorted(session.Query(sql)), Sorted(rows));
}
