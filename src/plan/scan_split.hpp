#pragma once

#include "common/ids.hpp"
#include "plan/scan_file.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace duckherder {

// All that is known of a kind of split stands here: one struct for each kind has its data, its names, what the trace
// says of a task, and the fields that travel. Only its SQL (planner/split/task_sql.cpp) and the rows that a scan of it
// delivers (engine/restrict_rows.cpp) need DuckDB and stand elsewhere; neither compiles until it knows every kind.

//! How a scan was cut into tasks; the names are what users see as partition_strategy.
enum class SplitKind : uint8_t { NONE, ROW_GROUP, RANGE, MODULO, FILE, FEED };

//! No upper bound: the last range of a table also takes rows that appeared after the split (the transaction's own).
constexpr uint64_t ROWS_UNBOUNDED = std::numeric_limits<uint64_t>::max();

//! Half-open range of row numbers: within one file, or rowids of a table
struct RowRange {
	uint64_t start = 0;
	uint64_t end = ROWS_UNBOUNDED;

	bool operator==(const RowRange &) const = default;

	template <class FIELDS, class T>
	static void EachField(FIELDS &fields, T &range) {
		fields.Field(10, "start", range.start);
		fields.Field(11, "end", range.end);
	}
};

//! Which outputs a task reads of the stages before it: of one stage only those of the tasks [first_task, end_task), of
//! the others all; if the two are equal, all of every stage.
struct OutputSlice {
	StageId stage = 0;
	TaskId first_task = 0;
	TaskId end_task = 0;

	bool Contains(StageId other, TaskId task) const {
		return first_task == end_task || stage != other || (task >= first_task && task < end_task);
	}
	bool operator==(const OutputSlice &) const = default;

	template <class FIELDS, class T>
	static void EachField(FIELDS &fields, T &slice) {
		fields.Field(10, "stage", slice.stage);
		fields.Field(11, "first_task", slice.first_task);
		fields.Field(12, "end_task", slice.end_task);
	}
};

//! No base scan: the task consumes partitions of the exchanges that its stage reads, one after another.
struct PartitionSplit {
	static constexpr SplitKind KIND = SplitKind::NONE;
	//! As users see it
	static constexpr const char *NAME = "NONE";
	//! What the trace calls this partitioning
	static constexpr const char *TRACE_NAME = "exchange";
	uint32_t partition = 0;
	uint32_t partition_count = 1;
	OutputSlice slice;

	//! What the trace says that the task reads, if storage does not say which rows these are. `positions`: of the
	//! task's files in the scan's list
	std::string Trace(const std::vector<uint64_t> & /*positions*/) const {
		return "partition " + std::to_string(partition);
	}
	bool operator==(const PartitionSplit &) const = default;

	//! The fields that travel, for the codec of messages; T may be const
	template <class FIELDS, class T>
	static void EachField(FIELDS &fields, T &split) {
		fields.Field(10, "partition", split.partition);
		fields.Field(11, "partition_count", split.partition_count);
		fields.Object(12, "slice", split.slice);
	}
};

//! Some rows of a table, or of a file that workers read
struct RowsSplit {
	std::optional<ScanFile> file;
	RowRange rows;

	std::span<const ScanFile> Files() const {
		return file ? std::span<const ScanFile>(&*file, 1) : std::span<const ScanFile>();
	}
	std::string Trace(const std::vector<uint64_t> & /*positions*/) const {
		return "rows from " + std::to_string(rows.start);
	}
	bool operator==(const RowsSplit &) const = default;

	template <class FIELDS, class T>
	static void EachField(FIELDS &fields, T &split) {
		fields.OptionalObject(10, "file", split.file);
		fields.Object(11, "rows", split.rows);
	}
};

//! Rows between borders of row groups
struct RowGroupSplit : RowsSplit {
	static constexpr SplitKind KIND = SplitKind::ROW_GROUP;
	static constexpr const char *NAME = "ROW_GROUP";
	static constexpr const char *TRACE_NAME = "intelligent row-group-based";
};

//! Rows anywhere
struct RangeSplit : RowsSplit {
	static constexpr SplitKind KIND = SplitKind::RANGE;
	static constexpr const char *NAME = "RANGE";
	static constexpr const char *TRACE_NAME = "intelligent range-based";
};

//! The rows of a table whose rowid modulo `modulus` is `remainder`
struct ModuloSplit {
	static constexpr SplitKind KIND = SplitKind::MODULO;
	static constexpr const char *NAME = "MODULO";
	static constexpr const char *TRACE_NAME = "modulo";
	uint64_t modulus = 1;
	uint64_t remainder = 0;

	std::string Trace(const std::vector<uint64_t> & /*positions*/) const {
		return "rowid % " + std::to_string(modulus) + " = " + std::to_string(remainder);
	}
	bool operator==(const ModuloSplit &) const = default;

	template <class FIELDS, class T>
	static void EachField(FIELDS &fields, T &split) {
		fields.Field(10, "modulus", split.modulus);
		fields.Field(11, "remainder", split.remainder);
	}
};

//! Whole files, which the worker reads
struct FileSplit {
	static constexpr SplitKind KIND = SplitKind::FILE;
	static constexpr const char *NAME = "FILE";
	static constexpr const char *TRACE_NAME = "file-based";
	std::vector<ScanFile> files;

	std::span<const ScanFile> Files() const {
		return files;
	}
	std::string Trace(const std::vector<uint64_t> &positions) const {
		return "files [" + std::to_string(positions.front()) + ", " + std::to_string(positions.back()) + "]";
	}
	bool operator==(const FileSplit &) const = default;

	template <class FIELDS, class T>
	static void EachField(FIELDS &fields, T &split) {
		fields.Objects(10, "files", split.files);
	}
};

//! One stream of the session, which the tasks take in turn
struct FeedSplit {
	static constexpr SplitKind KIND = SplitKind::FEED;
	static constexpr const char *NAME = "FEED";
	static constexpr const char *TRACE_NAME = "feed";
	//! How many tasks share the stream
	uint64_t readers = 1;

	std::string Trace(const std::vector<uint64_t> & /*positions*/) const {
		return "rows of the feed";
	}
	bool operator==(const FeedSplit &) const = default;

	template <class FIELDS, class T>
	static void EachField(FIELDS &fields, T &split) {
		fields.Field(10, "readers", split.readers);
	}
};

//! Their order is that of the numbers which travel.
using SplitPart = std::variant<PartitionSplit, RowGroupSplit, RangeSplit, ModuloSplit, FileSplit, FeedSplit>;

//! Values of a column, from the first to the last, as the integers that KeyOf (engine/key_order.hpp) makes of them
struct KeyRange {
	//! Among the columns that the scan's function returns
	uint64_t column = 0;
	int64_t first = std::numeric_limits<int64_t>::min();
	int64_t last = std::numeric_limits<int64_t>::max();

	//! All values are in it
	bool IsUnbounded() const {
		return first == std::numeric_limits<int64_t>::min() && last == std::numeric_limits<int64_t>::max();
	}
	bool operator==(const KeyRange &) const = default;

	template <class FIELDS, class T>
	static void EachField(FIELDS &fields, T &range) {
		fields.Field(10, "column", range.column);
		fields.Field(11, "first", range.first);
		fields.Field(12, "last", range.last);
	}
};

//! The part of a scan that stands beside the one by which the tasks of its stage are cut.
struct AlignedSplit {
	//! LogicalGet::table_index of the scan in the fragment
	uint64_t table_index = 0;
	RowGroupSplit part;
	//! Of these rows only those with a key in this range: other tasks have the others.
	KeyRange keys;

	bool operator==(const AlignedSplit &) const = default;

	template <class FIELDS, class T>
	static void EachField(FIELDS &fields, T &split) {
		fields.Field(10, "table_index", split.table_index);
		fields.Object(11, "part", split.part);
		fields.Object(12, "keys", split.keys);
	}
};

//! The part of a scan that one task reads. Together the splits of a stage cover each row exactly once.
struct ScanSplit {
	//! LogicalGet::table_index of the scan in the fragment that this split applies to, unused for feeds
	uint64_t table_index = 0;
	//! The driver sends the rows of this split: the fragment reads them from the feed instead of from storage
	bool fed = false;
	SplitPart part;
	//! Of the rows of `part` only those with a key in this range: other tasks have the others.
	KeyRange keys;
	//! What the task reads of the other scans of its stage: the rows with the keys that its own rows have.
	std::vector<AlignedSplit> aligned;

	SplitKind Kind() const;
	//! Empty unless the workers read files themselves
	std::span<const ScanFile> Files() const;
	//! Those of the other scans, too
	std::vector<std::reference_wrapper<const ScanFile>> AllFiles() const;
	//! All rows, of kinds that do not cut by row numbers
	RowRange Rows() const;
	//! Of the exchanges that the task reads: the first partition, if the task has a base scan
	PartitionSplit Partitions() const;
};

const char *SplitKindName(SplitKind kind);
//! What the trace calls it
const char *SplitTraceName(SplitKind kind);

} // namespace duckherder
