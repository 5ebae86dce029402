#include "engine/scan_file.hpp"
#include "common/limits.hpp"
#include "worker/thread_count.hpp"
#include "worker/worker_database.hpp"

#include "duckdb/parallel/task_scheduler.hpp"

#include <gtest/gtest.h>

namespace duckherder {

namespace {

ScanFile VersionedFile() {
	ScanFile file("s3://bucket/a.parquet");
	file.has_version = true;
	file.size_bytes = 1ULL << 40;
	file.etag = "\"0123-4\"";
	file.last_modified_us = 1700000000123456;
	return file;
}

} // namespace

TEST(RemoteFiles, WhatIsKnownOfAFileComesBackFromDuckDBsInformation) {
	auto versioned = VersionedFile();
	EXPECT_EQ(DescribeFile(ToOpenFileInfo(versioned)), versioned);

	auto immutable = versioned;
	immutable.immutable = true;
	immutable.etag = "";
	immutable.last_modified_us = 0;
	immutable.footer_bytes = 4711;
	EXPECT_EQ(DescribeFile(ToOpenFileInfo(immutable)), immutable);

	ScanFile path_only("/data/a.parquet");
	EXPECT_EQ(DescribeFile(ToOpenFileInfo(path_only)), path_only);
	EXPECT_FALSE(ToOpenFileInfo(path_only).extended_info);
}

TEST(RemoteFiles, WithoutAnEtagOnlyWhatIsNeverWrittenAgainHasAVersion) {
	auto info = ToOpenFileInfo(VersionedFile());
	info.extended_info->options["etag"] = duckdb::Value("");
	EXPECT_FALSE(DescribeFile(info).has_version);
	info.extended_info->options["validate_external_file_cache"] = duckdb::Value::BOOLEAN(true);
	EXPECT_FALSE(DescribeFile(info).has_version);
	info.extended_info->options["validate_external_file_cache"] = duckdb::Value::BOOLEAN(false);
	EXPECT_TRUE(DescribeFile(info).has_version);
	info.extended_info->options.erase("file_size");
	EXPECT_FALSE(DescribeFile(info).has_version);
}

TEST(LocalFiles, AListingDoesNotSayWhichVersion) {
	auto info = ToOpenFileInfo(VersionedFile());
	info.path = "/data/a.parquet";
	EXPECT_FALSE(DescribeFile(info).has_version) << "it counts in seconds";
	EXPECT_TRUE(IsLocalPath("a.parquet"));
	EXPECT_TRUE(IsLocalPath("file:///data/a.parquet"));
	EXPECT_FALSE(IsLocalPath("s3://bucket/a.parquet"));
	EXPECT_FALSE(IsLocalPath("memory://a.parquet"));
}

TEST(LocalFiles, TheInodeCountsWhereBothSeeTheSameFileSystem) {
	LocalFileVersion planned;
	planned.host = 1;
	planned.device = 2;
	planned.inode = 3;
	planned.size_bytes = 4;
	planned.modified_ns = 5;
	EXPECT_EQ(DifferenceOf(planned, planned), "");
	auto other = planned;
	other.size_bytes = 400;
	EXPECT_NE(DifferenceOf(planned, other), "");
	other = planned;
	other.modified_ns++;
	EXPECT_NE(DifferenceOf(planned, other), "") << "within a second too";
	other = planned;
	other.inode++;
	EXPECT_NE(DifferenceOf(planned, other), "");
	other.device++;
	EXPECT_EQ(DifferenceOf(planned, other), "") << "another mount of the same files";
	other.device--;
	other.host++;
	EXPECT_EQ(DifferenceOf(planned, other), "") << "another machine";
}

TEST(RemoteFiles, MoreThreadsWhileATaskReadsThem) {
	WorkerDatabaseOptions options;
	options.threads = 2;
	auto database = OpenWorkerDatabase(options);
	auto &scheduler = duckdb::TaskScheduler::GetScheduler(*database->instance);
	ThreadCount count(*database->instance, 0);
	EXPECT_EQ(count.Usual(), 2U);
	auto remote = static_cast<int32_t>(2 * limits::REMOTE_THREADS_PER_THREAD);
	{
		ThreadCount::Use local(count, false);
		EXPECT_EQ(scheduler.NumberOfThreads(), 2);
		ThreadCount::Use first(count, true);
		EXPECT_EQ(scheduler.NumberOfThreads(), remote);
		ThreadCount::Use second(count, true);
		ThreadCount::Use local_beside(count, false);
		EXPECT_EQ(scheduler.NumberOfThreads(), remote) << "not while others need them";
	}
	EXPECT_EQ(scheduler.NumberOfThreads(), remote) << "the next query may want them too";
	ThreadCount::Use local(count, false);
	EXPECT_EQ(scheduler.NumberOfThreads(), 2);
	EXPECT_EQ(count.Usual(), 2U);
}

TEST(RemoteFiles, NeverFewerThreadsThanUsual) {
	WorkerDatabaseOptions options;
	options.threads = 3;
	auto database = OpenWorkerDatabase(options);
	ThreadCount count(*database->instance, 1);
	ThreadCount::Use use(count, true);
	EXPECT_EQ(duckdb::TaskScheduler::GetScheduler(*database->instance).NumberOfThreads(), 3);
}

} // namespace duckherder
