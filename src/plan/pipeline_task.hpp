#pragma once

#include "common/ids.hpp"

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace duckherder {

//! How a scan was cut into tasks; the names are what users see as partition_strategy.
enum class SplitKind : uint8_t {
	NONE = 0,      //! no base scan: the stage reads exchanges only, one task per partition
	ROW_GROUP = 1, //! rows [row_start, row_end) on row-group borders
	RANGE = 2,     //! rows [row_start, row_end) anywhere
	MODULO = 3,    //! rows whose rowid modulo `modulus` is `remainder`
	FILE = 4,      //! whole files
	FEED = 5       //! one stream of the driver, dealt out to the tasks in turn
};

const char *SplitKindName(SplitKind kind);

//! No upper bound: the last range of a table also takes rows that appeared after the split (the transaction's own).
constexpr uint64_t ROWS_UNBOUNDED = std::numeric_limits<uint64_t>::max();

//! Which outputs a task reads of the stages before it: of one stage only those of the tasks [first_task, end_task), of
//! the others all; if the two are equal, all of every stage.
struct OutputSlice {
	StageId stage = 0;
	TaskId first_task = 0;
	TaskId end_task = 0;

	bool Contains(StageId other, TaskId task) const {
		return first_task == end_task || stage != other || (task >= first_task && task < end_task);
	}
};

//! A file that tasks read, with what the session knows of it: what a task does not know it has to ask the store for,
//! and each request to an object store takes many milliseconds.
struct ScanFile {
	ScanFile() = default;
	//! Of which no more is known
	explicit ScanFile(std::string path_p) : path(std::move(path_p)) {
	}

	std::string path;
	//! Size, etag and last_modified_us say which version of the file was planned with; another one is not read
	bool has_version = false;
	//! Never written again under this name, as the files of a lake: nobody has to look whether it changed
	bool immutable = false;
	uint64_t size_bytes = 0;
	//! As the store gave it; may be empty only if immutable
	std::string etag;
	//! Since the epoch
	int64_t last_modified_us = 0;
	//! Of the Parquet footer without its last 8 bytes; 0: not known
	uint64_t footer_bytes = 0;

	bool operator==(const ScanFile &) const = default;
};

//! The part of a scan that one task reads. Together the splits of a stage cover each row exactly once.
struct ScanSplit {
	SplitKind kind = SplitKind::NONE;
	//! LogicalGet::table_index of the scan in the fragment that this split applies to (files), unused for feeds
	uint64_t table_index = 0;
	//! Files to read, empty unless the workers read files themselves
	std::vector<ScanFile> files;
	//! Of the whole scan, whose schema is that of this file; without a path if it is one of `files` or nothing is known
	ScanFile first_file;
	//! Half-open range of row numbers: within the one file, or rowids of a table
	uint64_t row_start = 0;
	uint64_t row_end = ROWS_UNBOUNDED;
	//! MODULO: the divisor; FEED: how many tasks share the stream
	uint64_t modulus = 1;
	uint64_t remainder = 0;
	//! The driver sends the rows of this split: the fragment reads them from the feed instead of from storage
	bool fed = false;
	//! For stages that read exchanges: the partitions that the task consumes, one after another
	uint32_t partition = 0;
	uint32_t partition_count = 1;
	OutputSlice slice;
};

//! One unit of distributed work: a fragment and the part of the data it runs on.
struct DistributedPipelineTask {
	TaskId task_id = 0;
	TaskId total_tasks = 0;
	//! Valid SQL of just this task for people; empty where the fragment has no SQL form
	std::string task_sql;
	//! First and last row group read, inclusive, from storage metadata; over all files of the split
	uint64_t row_group_start = 0;
	uint64_t row_group_end = 0;
	//! Rows, half-open, counted over the whole scan (all files); known only if has_rows
	bool has_rows = false;
	uint64_t row_start = 0;
	uint64_t row_end = 0;
	//! Numbers of the files or storage partitions it scans
	std::vector<uint64_t> partition_indices;
	//! The fragment, shared by all tasks of the stage; set when the stage is encoded
	std::shared_ptr<const std::string> serialized_plan;
	ScanSplit split;
	//! Tasks with equal keys read the same bytes, also in later queries: run them at the same worker if it is free
	std::string affinity_key;
};

} // namespace duckherder
