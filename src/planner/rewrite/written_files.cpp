#include "planner/rewrite/written_files.hpp"

#include "duckdb/common/file_system.hpp"
#include "duckdb/execution/column_binding_resolver.hpp"

namespace duckherder {

using namespace duckdb;

void CheckWrittenFile(FileSystem &files, const string &name, optional_idx bytes, const char *what) {
	idx_t found = 0;
	string reason;
	try {
		found = files.OpenFile(name, FileFlags::FILE_FLAGS_READ)->GetFileSize();
	} catch (const std::exception &error) {
		reason = ": " + ErrorData(error).RawMessage();
	}
	if (reason.empty() && bytes.IsValid() && found != bytes.GetIndex()) {
		reason = ": it has " + to_string(found) + " bytes instead of " + to_string(bytes.GetIndex());
	}
	if (!reason.empty()) {
		throw IOException(
		    "A worker has written %s, and the driver does not find it so%s. %s has to be storage that the "
		    "driver and all workers share.",
		    name, reason, what);
	}
}

LogicalAfterWrite::LogicalAfterWrite(LogicalOperator &statement)
    : bindings(statement.GetColumnBindings()), return_types(statement.types) {
	if (statement.has_estimated_cardinality) {
		SetEstimatedCardinality(statement.estimated_cardinality);
	}
}

vector<ColumnBinding> LogicalAfterWrite::GetColumnBindings() {
	return bindings;
}

void LogicalAfterWrite::ResolveColumnBindings(ColumnBindingResolver &resolver, vector<ColumnBinding> &result) {
	resolver.VisitOperator(*children[0]);
	result = bindings;
}

bool LogicalAfterWrite::SupportSerialization() const {
	return false;
}

void LogicalAfterWrite::ResolveTypes() {
	types = return_types;
}

} // namespace duckherder
