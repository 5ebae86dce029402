#include "compat/copy.hpp"

#include "duckdb/parser/parsed_data/copy_info.hpp"

#if DUCKHERDER_DUCKDB_MAJOR >= 2
#include "duckdb/execution/operator/persistent/copy_output_lifecycle.hpp"
#endif

namespace duckherder {

using namespace duckdb;

namespace {

unique_ptr<LogicalCopyToFile> WithSettingsOf(const PhysicalCopyToFile &copy, unique_ptr<LogicalCopyToFile> result) {
	result->file_path = copy.file_path;
	result->use_tmp_file = copy.use_tmp_file;
	result->filename_pattern = copy.filename_pattern;
	result->file_extension = copy.file_extension;
	result->overwrite_mode = copy.overwrite_mode;
	result->per_thread_output = copy.per_thread_output;
	result->file_size_bytes = copy.file_size_bytes;
	result->return_type = copy.return_type;
	result->partition_output = copy.partition_output;
	result->write_partition_columns = copy.write_partition_columns;
	result->write_empty_file = copy.write_empty_file;
	result->hive_file_pattern = copy.hive_file_pattern;
	result->partition_columns = copy.partition_columns;
	result->names = copy.names;
	result->expected_types = copy.expected_types;
	return result;
}

} // namespace

#if DUCKHERDER_DUCKDB_MAJOR < 2

bool ReturnsKnownColumns(const LogicalCopyToFile &) {
	return true;
}

bool LimitsFiles(const LogicalCopyToFile &copy) {
	return copy.file_size_bytes.IsValid();
}

void WriteIntoDirectory(LogicalCopyToFile &copy) {
	copy.rotate = true;
}

unique_ptr<LogicalCopyToFile> LogicalOf(PhysicalCopyToFile &copy, unique_ptr<CopyInfo> info, TableIndex) {
	auto result = make_uniq<LogicalCopyToFile>(copy.function, std::move(copy.bind_data), std::move(info));
	result->rotate = copy.rotate;
	return WithSettingsOf(copy, std::move(result));
}

std::string DirectoryOf(ClientContext &context, const PhysicalCopyToFile &copy) {
	return copy.GetTrimmedPath(context);
}

unique_ptr<GlobalSinkState> PrepareDirectory(ClientContext &context, PhysicalCopyToFile &copy) {
	copy.write_empty_file = false;
	return copy.GetGlobalSinkState(context);
}

void FinishWithoutRows(PhysicalCopyToFile &copy, Pipeline &, Event &, ClientContext &context, InterruptState &) {
	copy.FinalizeInternal(context, *copy.sink_state);
}

#else

namespace {

//! Keeps the directory also if the query fails: what workers have written into it is not this operator's.
struct DirectoryState : public GlobalSinkState {
	explicit DirectoryState(ClientContext &context) : lifecycle(context) {
	}
	CopyOutputLifecycle lifecycle;
};

} // namespace

bool ReturnsKnownColumns(const LogicalCopyToFile &copy) {
	return copy.return_type <= CopyFunctionReturnType::WRITTEN_FILE_STATISTICS;
}

bool LimitsFiles(const LogicalCopyToFile &copy) {
	return copy.file_size_bytes.IsValid() || copy.batches_per_file.IsValid();
}

void WriteIntoDirectory(LogicalCopyToFile &copy) {
	copy.rotate = true;
	if (!LimitsFiles(copy)) {
		// What has no limit is one file, with the name of the directory.
		copy.batches_per_file = NumericLimits<int64_t>::Maximum();
	}
}

unique_ptr<LogicalCopyToFile> LogicalOf(PhysicalCopyToFile &copy, unique_ptr<CopyInfo> info, TableIndex table_index) {
	auto result = make_uniq<LogicalCopyToFile>(copy.function, std::move(copy.bind_data), std::move(info), table_index);
	result->rotate = copy.Rotate();
	result->batch_size = copy.batch_size;
	result->batch_size_bytes = copy.batch_size_bytes;
	result->batches_per_file = copy.batches_per_file;
	result->query_names = copy.query_names;
	result->query_types = copy.query_types;
	if (copy.partition_path_expression) {
		result->partition_path_expression = copy.partition_path_expression->Copy();
	}
	for (auto &order : copy.order_columns) {
		result->order_columns.push_back(order.Copy());
	}
	return WithSettingsOf(copy, std::move(result));
}

std::string DirectoryOf(ClientContext &context, const PhysicalCopyToFile &copy) {
	return PhysicalCopyToFile::GetTrimmedPath(context, copy.file_path);
}

unique_ptr<GlobalSinkState> PrepareDirectory(ClientContext &context, PhysicalCopyToFile &copy) {
	auto state = make_uniq<DirectoryState>(context);
	PhysicalCopyToFile::PrepareOutputDirectory(context, copy.file_path, copy.overwrite_mode, state->lifecycle);
	state->lifecycle.MarkSuccessful();
	return state;
}

void FinishWithoutRows(PhysicalCopyToFile &copy, Pipeline &pipeline, Event &event, ClientContext &context,
                       InterruptState &interrupt_state) {
	OperatorSinkFinalizeInput input {*copy.sink_state, interrupt_state};
	copy.Finalize(pipeline, event, context, input);
}

#endif

} // namespace duckherder
