#pragma once

#include "common/ids.hpp"

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
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
	FEED = 5       //! one stream of the session, which the tasks take in turn
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

//! Which version of a local file was planned with. Two processes compare it field by field: the time and the size
//! everywhere, the inode only where both see the same file system of the same machine.
struct LocalFileVersion {
	//! A hash of the machine's boot id; equal on all processes of one machine
	uint64_t host = 0;
	uint64_t device = 0;
	uint64_t inode = 0;
	uint64_t size_bytes = 0;
	//! Since the epoch
	int64_t modified_ns = 0;

	bool operator==(const LocalFileVersion &) const = default;
};

//! A file that tasks read, with what the session knows of it: what a task does not know it has to ask the store for,
//! and each request to an object store takes many milliseconds. At most one of the three says which version of the file
//! was planned with, and no task reads another one: `local`, the store's version, or `footer_hash`.
struct ScanFile {
	ScanFile() = default;
	//! Of which no more is known
	explicit ScanFile(std::string path_p) : path(std::move(path_p)) {
	}

	//! Where workers open it: an absolute path, or the URL as it was written
	std::string path;
	//! As the user wrote it, which is what the columns `filename` and those of hive partitions are made of; empty if it
	//! is `path`
	std::string written;
	//! Size, etag and last_modified_us are those of the store
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
	std::optional<LocalFileVersion> local;
	//! Of what the Parquet footer says of the file's row groups, for files of stores that tell no version; 0: not known
	uint64_t footer_hash = 0;

	const std::string &Written() const {
		return written.empty() ? path : written;
	}
	bool operator==(const ScanFile &) const = default;
};

//! The part of a scan that one task reads. Together the splits of a stage cover each row exactly once.
struct ScanSplit {
	SplitKind kind = SplitKind::NONE;
	//! LogicalGet::table_index of the scan in the fragment that this split applies to (files), unused for feeds
	uint64_t table_index = 0;
	//! Files to read, empty unless the workers read files themselves
	std::vector<ScanFile> files;
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
	//! Positions of its files in the scan's list, in which a file may stand twice, or of its storage partitions
	std::vector<uint64_t> partition_indices;
	//! The fragment, shared by all tasks of the stage; set when the stage is encoded
	std::shared_ptr<const std::string> serialized_plan;
	ScanSplit split;
	//! Tasks with equal keys read the same bytes, also in later queries: run them at the same worker if it is free
	std::string affinity_key;
};

} // namespace duckherder
