#include "planner/split/split_scans.hpp"

#include <gtest/gtest.h>

namespace duckherder {

namespace {

PlannerOptions Options(uint32_t workers) {
	PlannerOptions options;
	options.workers = workers;
	return options;
}

PartitionInformation Table(std::vector<duckdb::idx_t> row_groups, duckdb::idx_t gap = 0) {
	PartitionInformation information;
	information.has_row_ids = true;
	duckdb::idx_t row = 0;
	for (auto rows : row_groups) {
		information.row_groups.push_back(RowGroupInfo {0, row, rows});
		information.total_rows += rows;
		row += rows + gap;
	}
	return information;
}

//! Every row number belongs to exactly one split, whatever it is
void ExpectCoversEverything(const PipelineTasks &split) {
	ASSERT_FALSE(split.tasks.empty());
	EXPECT_EQ(split.tasks.front().split.Rows().start, 0U);
	EXPECT_EQ(split.tasks.back().split.Rows().end, ROWS_UNBOUNDED);
	for (size_t i = 1; i < split.tasks.size(); i++) {
		EXPECT_EQ(split.tasks[i].split.Rows().start, split.tasks[i - 1].split.Rows().end);
		EXPECT_GT(split.tasks[i].split.Rows().end, split.tasks[i].split.Rows().start);
	}
}

} // namespace

TEST(SplitScans, FewerRowGroupsThanWorkersGiveRanges) {
	auto split = SplitByInformation(Table({10000}), Options(4), false);
	EXPECT_EQ(split.kind, SplitKind::RANGE);
	ASSERT_EQ(split.tasks.size(), 4U);
	EXPECT_EQ(split.tasks[1].row_start, 2500U);
	EXPECT_EQ(split.tasks[1].row_end, 5000U);
	EXPECT_EQ(split.tasks[3].row_group_end, 0U);
	ExpectCoversEverything(split);
}

TEST(SplitScans, TasksFollowNaturalParallelismBetweenWorkersAndFourTimesThem) {
	std::vector<duckdb::idx_t> groups(25, 122880);
	EXPECT_EQ(SplitByInformation(Table(groups), Options(2), false).tasks.size(), 8U);
	EXPECT_EQ(SplitByInformation(Table(groups), Options(10), false).tasks.size(), 25U);
	EXPECT_EQ(SplitByInformation(Table(groups), Options(30), false).tasks.size(), 30U);
}

TEST(SplitScans, RowGroupSplitsEndOnRowGroupBorders) {
	std::vector<duckdb::idx_t> groups(25, 122880);
	auto split = SplitByInformation(Table(groups), Options(2), false);
	EXPECT_EQ(split.kind, SplitKind::ROW_GROUP);
	for (auto &task : split.tasks) {
		EXPECT_EQ(task.row_start % 122880, 0U);
		EXPECT_EQ(task.split.Rows().start % 122880, 0U);
		EXPECT_GE(task.row_group_end, task.row_group_start);
	}
	ExpectCoversEverything(split);
}

TEST(SplitScans, GapsBetweenRowGroupsBelongToSomebody) {
	ExpectCoversEverything(SplitByInformation(Table({122880, 1, 122880, 500}, 77), Options(3), false));
	ExpectCoversEverything(SplitByInformation(Table({9000, 9000}, 1000000), Options(5), false));
}

TEST(SplitScans, SmallTablesAreOneTask) {
	auto split = SplitByInformation(Table({25}), Options(8), false);
	EXPECT_EQ(split.tasks.size(), 1U);
	ExpectCoversEverything(split);
}

TEST(SplitScans, NoRowsAreOneTask) {
	auto split = SplitByInformation(Table({}), Options(8), false);
	EXPECT_EQ(split.tasks.size(), 1U);
	ExpectCoversEverything(split);
}

TEST(SplitScans, NeverMoreTasksThanRows) {
	auto options = Options(8);
	options.min_rows = 0;
	auto split = SplitByInformation(Table({3}), options, false);
	EXPECT_EQ(split.tasks.size(), 3U);
	ExpectCoversEverything(split);
}

TEST(SplitScans, BroadcastInputsMakeFewTasks) {
	std::vector<duckdb::idx_t> groups(25, 122880);
	EXPECT_EQ(SplitByInformation(Table(groups), Options(2), true).tasks.size(), 2U);
}

TEST(SplitScans, SmallFilesArePackedAndBigOnesCut) {
	PartitionInformation information;
	for (duckdb::idx_t file = 0; file < 6; file++) {
		information.files.emplace_back("f" + std::to_string(file));
		auto row_groups = file == 2 ? 20 : 1;
		for (duckdb::idx_t group = 0; group < duckdb::idx_t(row_groups); group++) {
			information.row_groups.push_back(RowGroupInfo {file, group * 122880, 122880});
			information.total_rows += 122880;
		}
	}
	auto split = SplitByInformation(information, Options(2), false);
	EXPECT_LE(split.tasks.size(), 8U);
	EXPECT_GE(split.tasks.size(), 2U);
	std::map<std::string, std::vector<ScanSplit>> by_file;
	for (auto &task : split.tasks) {
		for (auto &file : task.split.Files()) {
			by_file[file.path].push_back(task.split);
		}
	}
	EXPECT_EQ(by_file.size(), 6U);
	for (auto &entry : by_file) {
		uint64_t next = 0;
		for (auto &piece : entry.second) {
			EXPECT_EQ(piece.Rows().start, next);
			next = piece.Rows().end;
		}
		EXPECT_EQ(next, ROWS_UNBOUNDED) << entry.first;
	}
}

TEST(SplitScans, AFileThatIsListedTwiceIsReadTwice) {
	PartitionInformation information;
	for (duckdb::idx_t file = 0; file < 3; file++) {
		information.files.emplace_back("the same");
		for (duckdb::idx_t group = 0; group < 10; group++) {
			information.row_groups.push_back(RowGroupInfo {file, group * 2048, 2048});
			information.total_rows += 2048;
		}
	}
	auto split = SplitByInformation(information, Options(3), false);
	std::map<uint64_t, uint64_t> read_to;
	for (auto &task : split.tasks) {
		auto position = task.partition_indices.at(0);
		EXPECT_EQ(task.split.Rows().start, read_to[position]);
		read_to[position] = task.split.Rows().end;
	}
	ASSERT_EQ(read_to.size(), 3U);
	for (auto &entry : read_to) {
		EXPECT_EQ(entry.second, ROWS_UNBOUNDED) << entry.first;
	}
}

TEST(SplitScans, FilesWithoutFootersAreDealtOutByCount) {
	PartitionInformation information;
	for (int file = 0; file < 100; file++) {
		information.files.emplace_back("f" + std::to_string(file));
	}
	auto split = SplitByInformation(information, Options(3), false);
	EXPECT_EQ(split.kind, SplitKind::FILE);
	EXPECT_EQ(split.tasks.size(), 12U);
	size_t files = 0;
	for (auto &task : split.tasks) {
		files += task.split.Files().size();
	}
	EXPECT_EQ(files, 100U);
}

} // namespace duckherder
