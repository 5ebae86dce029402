#include "common/limits.hpp"
#include "history/history_file.hpp"
#include "history/history_writer.hpp"

#include "duckdb.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <vector>

//! What a driver keeps of its queries on disk
namespace duckherder {
namespace {

class History : public testing::Test {
protected:
	void SetUp() override {
		directory =
		    std::filesystem::path(testing::TempDir()) / ("history-" + std::to_string(getpid()) + "-" +
		                                                 testing::UnitTest::GetInstance()->current_test_info()->name());
		std::filesystem::create_directories(directory);
	}
	void TearDown() override {
		std::filesystem::remove_all(directory);
	}

	std::string Path() const {
		return directory / "h";
	}

	std::unique_ptr<HistoryFile> Open() const {
		return std::make_unique<HistoryFile>(Path(), duckdb::make_shared_ptr<duckdb::DatabaseFilePathManager>());
	}

	//! What a driver that starts now would find
	std::vector<QueryRecord> Found() const {
		return Open()->TakeRecords();
	}

	//! Whether the text is in any file of the history
	bool Contains(const std::string &text) const {
		for (auto &entry : std::filesystem::directory_iterator(directory)) {
			std::ifstream file(entry.path(), std::ios::binary);
			std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
			if (bytes.find(text) != std::string::npos) {
				return true;
			}
		}
		return false;
	}

	uint64_t Size() const {
		uint64_t size = 0;
		for (auto &entry : std::filesystem::directory_iterator(directory)) {
			size += entry.is_regular_file() ? entry.file_size() : 0;
		}
		return size;
	}

	std::unique_ptr<HistoryWriter> Writer(const std::shared_ptr<QueryRecorder> &recorder) {
		return std::make_unique<HistoryWriter>(recorder, Open(), [this](const std::string &text) { said += text; });
	}

	std::filesystem::path directory;
	//! To the operator
	std::string said;
};

QueryRecord Record(const std::string &id, const std::string &state = "SUCCEEDED", int tasks = 0) {
	QueryRecord record;
	record.query_id = id;
	record.sql = "SELECT '" + id + "'";
	record.state = state;
	for (int i = 0; i < tasks; i++) {
		record.tasks.emplace_back();
		record.tasks.back().task.task_id = static_cast<TaskId>(i);
		record.tasks.back().task.task_sql = record.sql + " -- task " + std::to_string(i);
	}
	return record;
}

void End(QueryRecorder &recorder, const QueryRecorder::Entry &entry) {
	recorder.Update(entry, [](QueryRecord &record) { record.state = "SUCCEEDED"; });
}

std::vector<std::string> Ids(const std::vector<QueryRecord> &records) {
	std::vector<std::string> ids;
	for (auto &record : records) {
		ids.push_back(record.query_id + " " + record.state);
	}
	return ids;
}

TEST_F(History, KeepsEveryField) {
	QueryRecord record;
	record.number = 7;
	record.query_id = "abc-7";
	record.sql = "SELECT 'ä'";
	record.mode = ExecutionMode::PARTIAL;
	record.local_reason = "reason";
	record.partition_strategy = "FILE";
	record.merge_strategy = "TOP_N";
	record.num_stages = 1;
	record.num_workers_used = 2;
	record.retries = 3;
	record.bytes_exchanged = 1ULL << 63;
	record.duration_us = 5;
	record.start_time_us = -6;
	record.state = "FAILED";
	record.error = "not valid: \xff";
	TaskHistory task;
	task.stage_id = 8;
	task.task.task_id = 9;
	task.task.total_tasks = 10;
	task.worker_id = "w";
	task.attempt = 11;
	task.speculative = true;
	task.state = "DONE";
	task.task.has_rows = true;
	task.task.row_start = 12;
	task.task.row_end = ROWS_UNBOUNDED;
	task.task.row_group_start = 13;
	task.task.row_group_end = 14;
	task.rows = 15;
	task.input_rows = 16;
	task.output_rows = 17;
	task.bytes = 18;
	task.pruned_rows = 19;
	task.spilled_bytes = 20;
	task.duration_us = 21;
	task.task.task_sql = std::string(limits::HISTORY_TASK_TEXT_BYTES_MAX - 1, 'x') + "ä";
	task.start_us = 22;
	record.tasks = {task, TaskHistory()};
	record.stages = {{23, "SCAN", "HASH", "#1", {24, 25}, {26}, "decided", 27}};
	RecordChanges changes;
	changes.changed = {record};
	Open()->Write(changes);

	auto found = Found();
	ASSERT_EQ(found.size(), 1U);
	auto &query = found[0];
	EXPECT_EQ(query.number, 7U);
	EXPECT_EQ(query.query_id, "abc-7");
	EXPECT_EQ(query.sql, "SELECT 'ä'");
	EXPECT_EQ(query.mode, ExecutionMode::PARTIAL);
	EXPECT_EQ(query.local_reason, "reason");
	EXPECT_EQ(query.partition_strategy, "FILE");
	EXPECT_EQ(query.merge_strategy, "TOP_N");
	EXPECT_EQ(query.num_stages, 1U);
	EXPECT_EQ(query.num_workers_used, 2U);
	EXPECT_EQ(query.retries, 3U);
	EXPECT_EQ(query.bytes_exchanged, 1ULL << 63);
	EXPECT_EQ(query.duration_us, 5U);
	EXPECT_EQ(query.start_time_us, -6);
	EXPECT_EQ(query.state, "FAILED");
	EXPECT_EQ(query.error, "not valid: ?");
	ASSERT_EQ(query.tasks.size(), 2U);
	auto &first = query.tasks[0];
	EXPECT_EQ(first.start_us, std::optional<uint64_t>(22));
	EXPECT_FALSE(query.tasks[1].start_us.has_value());
	ASSERT_EQ(query.stages.size(), 1U);
	auto &stage = query.stages[0];
	EXPECT_EQ(stage.stage_id, 23U);
	EXPECT_EQ(stage.description, "SCAN");
	EXPECT_EQ(stage.exchange, "HASH");
	EXPECT_EQ(stage.keys, "#1");
	EXPECT_EQ(stage.inputs, (std::vector<StageId> {24, 25}));
	EXPECT_EQ(stage.filters_from, std::vector<StageId> {26});
	EXPECT_EQ(stage.decision, "decided");
	EXPECT_EQ(stage.estimated_rows, 27U);
	EXPECT_EQ(first.stage_id, 8U);
	EXPECT_EQ(first.task.task_id, 9U);
	EXPECT_EQ(first.task.total_tasks, 10U);
	EXPECT_EQ(first.worker_id, "w");
	EXPECT_EQ(first.attempt, 11U);
	EXPECT_TRUE(first.speculative);
	EXPECT_EQ(first.state, "DONE");
	EXPECT_TRUE(first.task.has_rows);
	EXPECT_EQ(first.task.row_start, 12U);
	EXPECT_EQ(first.task.row_end, ROWS_UNBOUNDED);
	EXPECT_EQ(first.task.row_group_start, 13U);
	EXPECT_EQ(first.task.row_group_end, 14U);
	EXPECT_EQ(first.rows, 15U);
	EXPECT_EQ(first.input_rows, 16U);
	EXPECT_EQ(first.output_rows, 17U);
	EXPECT_EQ(first.bytes, 18U);
	EXPECT_EQ(first.pruned_rows, 19U);
	EXPECT_EQ(first.spilled_bytes, 20U);
	EXPECT_EQ(first.duration_us, 21U);
	EXPECT_EQ(first.task.task_sql, std::string(limits::HISTORY_TASK_TEXT_BYTES_MAX - 1, 'x')) << "half a character";
	EXPECT_FALSE(query.tasks[1].speculative);
}

TEST_F(History, EarlierQueriesComeFirstAndUnendedOnesAreLost) {
	auto before = std::make_shared<QueryRecorder>();
	{
		auto writer = Writer(before);
		End(*before, before->Begin(Record("ended", "RUNNING", 3)));
		before->Begin(Record("running", "RUNNING", 3));
		before->Begin(Record("waiting", "QUEUED"));
	}
	auto after = std::make_shared<QueryRecorder>();
	auto new_query = after->Begin(Record("new", "RUNNING"));
	auto writer = Writer(after);
	auto records = after->Snapshot();
	EXPECT_EQ(Ids(records),
	          (std::vector<std::string> {"ended SUCCEEDED", "running LOST", "waiting LOST", "new RUNNING"}));
	EXPECT_EQ(records[0].tasks.size(), 3U);
	EXPECT_TRUE(records[1].tasks.empty());
	EXPECT_NE(records[1].error.find("driver ended"), std::string::npos);
	End(*after, new_query);
	writer.reset();
	EXPECT_EQ(Ids(Found()),
	          (std::vector<std::string> {"ended SUCCEEDED", "running LOST", "waiting LOST", "new SUCCEEDED"}));
	EXPECT_EQ(said, "");
}

TEST_F(History, IsTrimmedAsInMemoryAndSoIsTheFile) {
	constexpr uint64_t ROUNDS = 12;
	auto recorder = std::make_shared<QueryRecorder>();
	auto writer = Writer(recorder);
	uint64_t size_early = 0;
	for (uint64_t round = 0; round < ROUNDS; round++) {
		for (uint32_t i = 0; i < limits::HISTORY_QUERIES_MAX; i++) {
			auto id = std::to_string(round) + "-" + std::to_string(i);
			End(*recorder, recorder->Begin(Record(id, "RUNNING", 10)));
		}
		writer->Flush();
		size_early = round == 3 ? Size() : size_early;
	}
	EXPECT_LT(Size(), 2 * size_early) << "the file grows";
	writer.reset();
	auto found = Found();
	EXPECT_EQ(Ids(found), Ids(recorder->Snapshot()));
	ASSERT_EQ(found.size(), limits::HISTORY_QUERIES_MAX);
	EXPECT_EQ(found[0].query_id, "11-0");
	EXPECT_EQ(found[0].tasks.size(), 10U);
}

TEST_F(History, IsBoundedByTasksToo) {
	auto recorder = std::make_shared<QueryRecorder>();
	auto writer = Writer(recorder);
	for (int i = 0; i < 5; i++) {
		End(*recorder, recorder->Begin(Record(std::to_string(i), "RUNNING", limits::HISTORY_TASKS_MAX / 3)));
		// so many rows take ThreadSanitizer longer than one Flush waits
		for (auto waits = 1;; waits++) {
			try {
				writer->Flush();
				break;
			} catch (duckdb::IOException &) {
				ASSERT_LT(waits, 6);
			}
		}
	}
	writer.reset();
	EXPECT_EQ(Ids(Found()), Ids(recorder->Snapshot()));
	EXPECT_LT(Found().size(), 5U);
}

TEST_F(History, ClearingLeavesNothingBehind) {
	auto recorder = std::make_shared<QueryRecorder>();
	auto writer = Writer(recorder);
	End(*recorder, recorder->Begin(Record("confidential", "RUNNING")));
	auto running = recorder->Begin(Record("goes on", "RUNNING"));
	writer->Flush();
	EXPECT_TRUE(Contains("confidential"));
	recorder->Clear();
	writer->Flush();
	EXPECT_FALSE(Contains("confidential"));
	EXPECT_TRUE(Contains("goes on"));
	End(*recorder, running);
	writer.reset();
	EXPECT_EQ(Ids(Found()), std::vector<std::string> {"goes on SUCCEEDED"});
}

TEST_F(History, OnlyItsOwnerMayReadIt) {
	auto before = umask(0);
	auto recorder = std::make_shared<QueryRecorder>();
	auto writer = Writer(recorder);
	recorder->Begin(Record("1"));
	writer->Flush();
	int files = 0;
	for (auto &entry : std::filesystem::directory_iterator(directory)) {
		struct stat found;
		ASSERT_EQ(stat(entry.path().c_str(), &found), 0);
		EXPECT_EQ(found.st_mode & 0777, 0600U) << entry.path();
		files++;
	}
	EXPECT_EQ(files, 2) << "the file and its log";
	umask(before);
}

TEST_F(History, WhatCannotBeReadIsMovedAside) {
	auto recorder = std::make_shared<QueryRecorder>();
	auto writer = Writer(recorder);
	for (int i = 0; i < 500; i++) {
		End(*recorder, recorder->Begin(Record(std::to_string(i), "RUNNING", 20)));
	}
	writer.reset();
	std::ifstream file(Path(), std::ios::binary);
	std::string good((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
	ASSERT_GT(good.size(), 100000U);
	std::vector<std::string> damaged = {"",
	                                    "x",
	                                    std::string(good.size(), '\0'),
	                                    good.substr(0, 5000),
	                                    good.substr(0, good.size() / 2),
	                                    good.substr(0, good.size() - 5000)};
	for (size_t begin = 0; begin < good.size(); begin += good.size() / 7) {
		damaged.push_back(good);
		for (auto i = begin; i < std::min(begin + good.size() / 7, good.size()); i++) {
			damaged.back()[i] ^= 0x55;
		}
	}
	for (size_t i = 0; i < damaged.size(); i++) {
		std::ofstream(Path(), std::ios::binary) << damaged[i];
		auto opened = Open();
		EXPECT_NE(opened->Problem().find("cannot be read"), std::string::npos) << "damage " << i;
		EXPECT_TRUE(opened->TakeRecords().empty()) << "damage " << i;
		RecordChanges changes;
		changes.changed = {Record("new")};
		opened->Write(changes);
		opened.reset();
		EXPECT_EQ(Ids(Found()), std::vector<std::string> {"new SUCCEEDED"}) << "damage " << i;
		std::ifstream aside(Path() + HistoryFile::UNREADABLE_SUFFIX, std::ios::binary);
		std::string kept((std::istreambuf_iterator<char>(aside)), std::istreambuf_iterator<char>());
		EXPECT_TRUE(kept == damaged[i]) << "damage " << i;
	}
}

TEST_F(History, AnotherVersionsFileIsMovedAside) {
	{
		duckdb::DuckDB other(Path());
		duckdb::Connection connection(other);
		ASSERT_FALSE(
		    connection.Query("CREATE TABLE duckherder_history (number INTEGER, query_id VARCHAR)")->HasError());
	}
	auto opened = Open();
	EXPECT_NE(opened->Problem().find("cannot be read"), std::string::npos);
}

TEST_F(History, ALaterVersionsFileIsMovedAside) {
	Open().reset();
	{
		duckdb::DuckDB other(Path());
		duckdb::Connection connection(other);
		ASSERT_FALSE(connection.Query("ALTER TABLE duckherder_history ADD COLUMN colour VARCHAR")->HasError());
	}
	EXPECT_NE(Open()->Problem().find("colour"), std::string::npos);
}

TEST_F(History, AnEarlierVersionsFileGetsWhatRecordsHaveGotSince) {
	{
		auto recorder = std::make_shared<QueryRecorder>();
		auto writer = Writer(recorder);
		End(*recorder, recorder->Begin(Record("old", "RUNNING", 2)));
	}
	{
		duckdb::DuckDB other(Path());
		duckdb::Connection connection(other);
		for (auto change : {"ALTER TABLE duckherder_history DROP COLUMN stages",
		                    "ALTER TABLE duckherder_history DROP COLUMN tasks.element.start_us"}) {
			auto result = connection.Query(change);
			ASSERT_FALSE(result->HasError()) << result->GetError();
		}
	}
	auto opened = Open();
	EXPECT_EQ(opened->Problem(), "");
	auto records = opened->TakeRecords();
	ASSERT_EQ(records.size(), 1U);
	EXPECT_EQ(records[0].tasks.size(), 2U);
	EXPECT_FALSE(records[0].tasks[0].start_us.has_value());
	EXPECT_TRUE(records[0].stages.empty());
	auto next = Record("new");
	next.number = 2;
	next.stages.emplace_back();
	next.stages[0].inputs = {1, 2};
	RecordChanges changes;
	changes.changed = {next};
	opened->Write(changes);
	opened.reset();
	records = Open()->TakeRecords();
	ASSERT_EQ(records.size(), 2U);
	EXPECT_EQ(records[1].stages.at(0).inputs, (std::vector<StageId> {1, 2}));
}

TEST_F(History, OtherDatabasesAreLeftAlone) {
	{
		duckdb::DuckDB other(Path());
		duckdb::Connection connection(other);
		ASSERT_FALSE(connection.Query("CREATE TABLE sales AS SELECT 1 AS i")->HasError());
	}
	EXPECT_THROW(Open(), duckdb::InvalidInputException);
	duckdb::DuckDB other(Path());
	duckdb::Connection connection(other);
	auto tables = connection.Query("SELECT string_agg(table_name) FROM duckdb_tables()");
	EXPECT_EQ(tables->GetValue(0, 0).ToString(), "sales");
}

TEST_F(History, NoPlaceIsAnError) {
	auto paths = duckdb::make_shared_ptr<duckdb::DatabaseFilePathManager>();
	for (auto &path : {(directory / "none" / "h").string(), directory.string()}) {
		EXPECT_THROW(HistoryFile(path, paths), duckdb::IOException) << path;
		EXPECT_TRUE(std::filesystem::is_directory(directory));
	}
}

TEST_F(History, AFileIsOpenedOnceInAProcess) {
	auto paths = duckdb::make_shared_ptr<duckdb::DatabaseFilePathManager>();
	HistoryFile file(Path(), paths);
	duckdb::DBConfig config;
	config.path_manager = paths;
	duckdb::DuckDB driver(nullptr, &config);
	auto attached = duckdb::Connection(driver).Query("ATTACH '" + Path() + "' AS h");
	EXPECT_TRUE(attached->HasError());
}

TEST_F(History, WhatCannotBeWrittenIsWrittenLater) {
	auto recorder = std::make_shared<QueryRecorder>();
	auto writer = Writer(recorder);
	recorder->Begin(Record("1"));
	writer->Flush();
	// its directory goes: so does any place for the log of the next write
	auto away = directory.string() + "-away";
	std::filesystem::rename(directory, away);
	recorder->Clear();
	auto second = recorder->Begin(Record("2", "RUNNING"));
	EXPECT_THROW(writer->Flush(), duckdb::IOException);
	EXPECT_NE(said.find("cannot be written"), std::string::npos) << said;
	EXPECT_THROW(writer->Flush(), duckdb::IOException);
	End(*recorder, second);
	std::filesystem::rename(away, directory);
	// the thread itself may have been faster
	writer->Flush();
	EXPECT_NE(said.find("written again"), std::string::npos) << said;
	writer.reset();
	EXPECT_EQ(Ids(Found()), std::vector<std::string> {"2 SUCCEEDED"});
}

TEST_F(History, QueriesGoOnWhileItIsWritten) {
	auto recorder = std::make_shared<QueryRecorder>();
	auto writer = Writer(recorder);
	std::vector<std::thread> threads;
	for (int number = 0; number < 4; number++) {
		threads.emplace_back([&, number] {
			for (int i = 0; i < 200; i++) {
				End(*recorder, recorder->Begin(Record(std::to_string(number) + "-" + std::to_string(i), "RUNNING", 3)));
				if (i % 50 == number) {
					recorder->Clear();
					writer->Flush();
				}
			}
		});
	}
	for (auto &thread : threads) {
		thread.join();
	}
	writer.reset();
	EXPECT_EQ(Ids(Found()), Ids(recorder->Snapshot()));
	EXPECT_EQ(said, "");
}

} // namespace
} // namespace duckherder
