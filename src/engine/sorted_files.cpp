#include "engine/sorted_files.hpp"

#include "duckdb/common/file_system.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

CopyFunctionExecutionMode OneAfterAnother(bool, bool) {
	return CopyFunctionExecutionMode::REGULAR_COPY_TO_FILE;
}

string TextOf(const FileNameSegment &segment) {
	switch (segment.type) {
	case FileNameSegmentType::LITERAL:
		return segment.data;
	case FileNameSegmentType::UUID_V4:
		return "{uuidv4}";
	case FileNameSegmentType::UUID_V7:
		return "{uuidv7}";
	default:
		return "{i}";
	}
}

//! The segments of a pattern without a {i}; base and position are those of older formats
FilenamePattern WithTaskNumber(const FilenamePattern &pattern, TaskId task) {
	string text;
	for (auto &segment : pattern.SerializeSegments()) {
		text += TextOf(segment);
	}
	FilenamePattern result;
	result.SetFilenamePattern(
	    StringUtil::Replace(text, TASK_NUMBER_MARK, StringUtil::Format("%06llu", static_cast<uint64_t>(task))));
	return result;
}

} // namespace

void KeepOrder(LogicalCopyToFile &copy, bool rotates) {
	copy.preserve_order = PreserveOrderType::PRESERVE_ORDER;
	copy.rotate = rotates;
}

void WriteInOrder(ClientContext &context, LogicalOperator &plan, TaskId task) {
	if (plan.type != LogicalOperatorType::LOGICAL_COPY_TO_FILE) {
		return;
	}
	auto &copy = plan.Cast<LogicalCopyToFile>();
	if (copy.preserve_order != PreserveOrderType::PRESERVE_ORDER) {
		return;
	}
	copy.filename_pattern = WithTaskNumber(copy.filename_pattern, task);
	if (copy.rotate) {
		// DuckDB promises no order where it begins new files, but a single thread has none to lose
		copy.preserve_order = PreserveOrderType::AUTOMATIC;
		copy.function.execution_mode = OneAfterAnother;
		return;
	}
	auto &files = FileSystem::GetFileSystem(context);
	auto directory = files.ExpandPath(copy.file_path);
	copy.file_path = copy.filename_pattern.CreateFilename(files, directory, copy.file_extension, 0);
}

} // namespace duckherder
