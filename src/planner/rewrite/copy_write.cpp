#include "planner/rewrite/copy_write.hpp"

#include "compat/copy.hpp"
#include "engine/sorted_files.hpp"
#include "planner/rewrite/written_files.hpp"

#include "duckdb/common/file_system.hpp"
#include "duckdb/common/types/column/column_data_collection.hpp"
#include "duckdb/common/types/uuid.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"
#include "duckdb/parser/parsed_data/copy_info.hpp"
#include "duckdb/planner/operator/logical_empty_result.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

namespace {

//! In what the two kinds of COPY that name their files return
constexpr idx_t COUNT_OF_LIST = 0;
constexpr idx_t FILES_OF_LIST = 1;
constexpr idx_t NAME_OF_STATISTICS = 0;
constexpr idx_t COUNT_OF_STATISTICS = 1;
constexpr idx_t SIZE_OF_STATISTICS = 2;

constexpr idx_t TAG_LENGTH = 8;

//! The names of files that a task writes one after another are in the order of their milliseconds. Smaller files could
//! be written within the same one.
constexpr idx_t SORTED_FILE_BYTES_MIN = 1000 * 1000;

struct CopyDoneState : public GlobalSinkState {
	explicit CopyDoneState(ClientContext &context, const vector<LogicalType> &types) : rows(context, types) {
	}
	std::mutex lock;
	//! What the workers' COPYs returned, if they return statistics
	ColumnDataCollection rows;
	idx_t count = 0;
	vector<Value> files;
	//! With our tag, of an earlier run of the same prepared statement
	vector<string> before;
};

struct CopyDoneSource : public GlobalSourceState {
	ColumnDataScanState scan;
	bool started = false;
	//! Of the COPY that ran here
	unique_ptr<GlobalSourceState> empty_copy;
};

//! The session's part of a COPY whose files workers write.
class PhysicalCopyDone : public PhysicalOperator {
public:
	PhysicalCopyDone(PhysicalPlan &plan, vector<LogicalType> types_p, PhysicalCopyToFile &copy_p, string tag_p)
	    : PhysicalOperator(plan, PhysicalOperatorType::EXTENSION, std::move(types_p), 1), copy(copy_p),
	      return_type(copy_p.return_type), writes_empty_file(copy_p.write_empty_file), tag(std::move(tag_p)) {
	}

	string GetName() const override {
		return "COPY_TO_FILE";
	}
	bool IsSink() const override {
		return true;
	}
	bool ParallelSink() const override {
		return true;
	}
	bool IsSource() const override {
		return true;
	}

	unique_ptr<GlobalSinkState> GetGlobalSinkState(ClientContext &context) const override {
		// before the first task starts, as DuckDB makes the states of sinks before those of sources
		PrepareDirectory(context, copy);
		auto state = make_uniq<CopyDoneState>(context, children[0].get().types);
		state->before = Tagged(context);
		return state;
	}

	SinkResultType Sink(ExecutionContext &context, DataChunk &chunk, OperatorSinkInput &input) const override {
		idx_t count = 0;
		vector<Value> files;
		auto with_statistics = return_type == CopyFunctionReturnType::WRITTEN_FILE_STATISTICS;
		for (idx_t row = 0; row < chunk.size(); row++) {
			if (with_statistics) {
				count += chunk.GetValue(COUNT_OF_STATISTICS, row).GetValue<idx_t>();
				files.push_back(chunk.GetValue(NAME_OF_STATISTICS, row));
				Check(context.client, files.back(), chunk.GetValue(SIZE_OF_STATISTICS, row).GetValue<idx_t>());
				continue;
			}
			count += chunk.GetValue(COUNT_OF_LIST, row).GetValue<idx_t>();
			auto list = chunk.GetValue(FILES_OF_LIST, row);
			for (auto &file : ListValue::GetChildren(list)) {
				files.push_back(file);
				Check(context.client, file, optional_idx());
			}
		}
		// looking at files may take long
		auto &state = input.global_state.Cast<CopyDoneState>();
		std::lock_guard<std::mutex> guard(state.lock);
		state.count += count;
		state.files.insert(state.files.end(), files.begin(), files.end());
		if (with_statistics) {
			state.rows.Append(chunk);
		}
		return SinkResultType::NEED_MORE_INPUT;
	}

	SinkFinalizeType Finalize(Pipeline &pipeline, Event &event, ClientContext &context,
	                          OperatorSinkFinalizeInput &input) const override {
		auto &state = input.global_state.Cast<CopyDoneState>();
		auto &files = FileSystem::GetFileSystem(context);
		unordered_set<string> known(state.before.begin(), state.before.end());
		for (auto &file : state.files) {
			known.insert(StringValue::Get(file));
		}
		for (auto &file : Tagged(context)) {
			if (!known.count(file)) {
				// of a worker that was lost while it wrote
				files.TryRemoveFile(file);
			}
		}
		// those of sorted rows are in the order of their names
		std::sort(state.files.begin(), state.files.end());
		if (state.count == 0) {
			// what is written then, if anything, is for DuckDB's own COPY to say
			copy.write_empty_file = writes_empty_file;
			copy.sink_state = copy.GetGlobalSinkState(context);
			FinishWithoutRows(copy, pipeline, event, context, input.interrupt_state);
		}
		return SinkFinalizeType::READY;
	}

	unique_ptr<GlobalSourceState> GetGlobalSourceState(ClientContext &context) const override {
		auto source = make_uniq<CopyDoneSource>();
		source->empty_copy = copy.GetGlobalSourceState(context);
		return source;
	}

	SourceResultType GetDataInternal(ExecutionContext &context, DataChunk &chunk,
	                                 OperatorSourceInput &input) const override {
		auto &state = sink_state->Cast<CopyDoneState>();
		auto &source = input.global_state.Cast<CopyDoneSource>();
		if (state.count == 0) {
			OperatorSourceInput of_copy {*source.empty_copy, input.local_state, input.interrupt_state};
			return copy.GetData(context, chunk, of_copy);
		}
		if (return_type == CopyFunctionReturnType::WRITTEN_FILE_STATISTICS) {
			if (!source.started) {
				state.rows.InitializeScan(source.scan);
				source.started = true;
			}
			state.rows.Scan(source.scan, chunk);
			return chunk.size() == 0 ? SourceResultType::FINISHED : SourceResultType::HAVE_MORE_OUTPUT;
		}
		chunk.SetChildCardinality(1);
		chunk.SetValue(COUNT_OF_LIST, 0, Value::BIGINT(NumericCast<int64_t>(state.count)));
		if (return_type == CopyFunctionReturnType::CHANGED_ROWS_AND_FILE_LIST) {
			chunk.SetValue(FILES_OF_LIST, 0, Value::LIST(LogicalType::VARCHAR, state.files));
		}
		return SourceResultType::FINISHED;
	}

private:
	static void Check(ClientContext &context, const Value &file, optional_idx bytes) {
		CheckWrittenFile(FileSystem::GetFileSystem(context), StringValue::Get(file), bytes,
		                 "The directory that is copied to");
	}

	vector<string> Tagged(ClientContext &context) const {
		auto &files = FileSystem::GetFileSystem(context);
		auto directory = DirectoryOf(context, copy);
		vector<string> result;
		for (auto &file : files.GlobFiles(directory + "/**/data_" + tag + "_*", FileGlobOptions::ALLOW_EMPTY)) {
			result.push_back(file.path);
		}
		return result;
	}

	PhysicalCopyToFile &copy;
	const CopyFunctionReturnType return_type;
	const bool writes_empty_file;
	const string tag;
};

class LogicalCopyDone : public LogicalAfterWrite {
public:
	LogicalCopyDone(unique_ptr<LogicalOperator> copy_p, string tag_p)
	    : LogicalAfterWrite(*copy_p), copy(std::move(copy_p)), tag(std::move(tag_p)) {
	}

	string GetName() const override {
		return "COPY_TO_FILE";
	}

	PhysicalOperator &CreatePlan(ClientContext &, PhysicalPlanGenerator &planner) override {
		auto &input = planner.CreatePlan(*children[0]);
		auto &planned = planner.CreatePlan(*copy).Cast<PhysicalCopyToFile>();
		auto &done = planner.Make<PhysicalCopyDone>(types, planned, tag);
		done.children.push_back(input);
		return done;
	}

private:
	//! The statement as it was, over no rows
	unique_ptr<LogicalOperator> copy;
	const string tag;
};

bool IsShared(const string &path, const PlannerOptions &options) {
	return FileSystem::IsRemoteFile(path) ||
	       std::any_of(options.shared_paths.begin(), options.shared_paths.end(), [&](const string &prefix) {
		       return StringUtil::StartsWith(path, StringUtil::EndsWith(prefix, "/") ? prefix : prefix + "/");
	       });
}

bool IsPattern(const FilenamePattern &pattern, const string &text) {
	FilenamePattern wanted;
	wanted.SetFilenamePattern(text);
	auto left = pattern.SerializeSegments();
	auto right = wanted.SerializeSegments();
	return pattern.SerializeBase() == wanted.SerializeBase() && pattern.SerializePos() == wanted.SerializePos() &&
	       std::equal(
	           left.begin(), left.end(), right.begin(), right.end(),
	           [](const FileNameSegment &a, const FileNameSegment &b) { return a.type == b.type && a.data == b.data; });
}

//! As DuckDB names files if the statement does not say how
bool HasUsualNames(const LogicalCopyToFile &copy) {
	return IsPattern(copy.filename_pattern, "data_{i}") || IsPattern(copy.filename_pattern, "{uuid}");
}

} // namespace

bool CopiesToManyFiles(ClientContext &context, const LogicalOperator &op, const PlannerOptions &options) {
	if (op.type != LogicalOperatorType::LOGICAL_COPY_TO_FILE || op.children.size() != 1) {
		return false;
	}
	auto &copy = op.Cast<LogicalCopyToFile>();
	auto many = copy.partition_output || copy.per_thread_output || copy.file_size_bytes.IsValid() || copy.rotate;
	auto known = FunctionName(copy.function) == "parquet" || FunctionName(copy.function) == "csv";
	return many && known && HasUsualNames(copy) && ReturnsKnownColumns(copy) &&
	       copy.copy_info->options.count("encryption_config") == 0 &&
	       IsShared(FileSystem::GetFileSystem(context).ExpandPath(copy.file_path), options);
}

bool CanCopySorted(const LogicalOperator &op) {
	if (op.type != LogicalOperatorType::LOGICAL_COPY_TO_FILE) {
		return false;
	}
	auto &copy = op.Cast<LogicalCopyToFile>();
	auto rotates_often = copy.file_size_bytes.IsValid() && copy.file_size_bytes.GetIndex() < SORTED_FILE_BYTES_MIN;
	return !copy.partition_output && !rotates_often;
}

void SplitCopy(ClientContext &context, unique_ptr<LogicalOperator> &op, bool sorted) {
	auto tag = UUID::ToString(UUID::GenerateRandomUUID()).substr(0, TAG_LENGTH);
	auto rows = std::move(op->children[0]);
	op->children[0] = make_uniq<LogicalEmptyResult>(rows->types, rows->GetColumnBindings());
	op->ResolveOperatorTypes();
	auto copied = op->Copy(context);
	auto &part = copied->Cast<LogicalCopyToFile>();
	part.use_tmp_file = false;
	// unlike {i} never the same at two workers, or at a worker that tries again
	part.filename_pattern.SetFilenamePattern("data_" + tag + (sorted ? string("_") + TASK_NUMBER_MARK : "") +
	                                         "_{uuidv7}");
	part.overwrite_mode = CopyOverwriteMode::COPY_OVERWRITE_OR_IGNORE;
	// one file by all threads of a task: threads of their own would leave small ones
	part.per_thread_output = false;
	if (part.return_type != CopyFunctionReturnType::WRITTEN_FILE_STATISTICS) {
		part.return_type = CopyFunctionReturnType::CHANGED_ROWS_AND_FILE_LIST;
	}
	// for DuckDB a COPY by partitions that does not write empty files is one to a single file
	part.write_empty_file = part.partition_output;
	part.preserve_order = PreserveOrderType::DONT_PRESERVE_ORDER;
	part.rotate = false;
	if (sorted) {
		KeepOrder(part, LimitsFiles(part));
	} else if (!part.partition_output) {
		WriteIntoDirectory(part);
	}
	part.children[0] = std::move(rows);
	part.SetEstimatedCardinality(1);
	part.ResolveOperatorTypes();
	auto done = make_uniq<LogicalCopyDone>(std::move(op), std::move(tag));
	done->children.push_back(std::move(copied));
	done->ResolveOperatorTypes();
	op = std::move(done);
}

} // namespace duckherder
