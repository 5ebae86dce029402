#pragma once

#include "compat/names.hpp"

#include "duckdb/execution/operator/persistent/physical_copy_to_file.hpp"
#include "duckdb/planner/operator/logical_copy_to_file.hpp"

//! COPY to files. In 2.0 an output that fails takes back what it has made, and rotation is a limit of each file.

namespace duckherder {

//! Whether the COPY returns counts, lists of files or statistics, and nothing besides
bool ReturnsKnownColumns(const duckdb::LogicalCopyToFile &copy);

//! Whether the COPY begins a new file where one has become large
bool LimitsFiles(const duckdb::LogicalCopyToFile &copy);

//! Lets a COPY that does not write one file per thread write into a directory, one file after another
void WriteIntoDirectory(duckdb::LogicalCopyToFile &copy);

//! Into the directory of the COPY as it was planned
duckdb::unique_ptr<duckdb::LogicalCopyToFile>
LogicalOf(duckdb::PhysicalCopyToFile &copy, duckdb::unique_ptr<duckdb::CopyInfo> info, duckdb::TableIndex table_index);

//! The directory that the COPY writes to, without a slash at its end
std::string DirectoryOf(duckdb::ClientContext &context, const duckdb::PhysicalCopyToFile &copy);

//! The state of a sink that writes nothing: looks at the directory of the COPY, empties it if it has to, makes it if it
//! is not there.
duckdb::unique_ptr<duckdb::GlobalSinkState> PrepareDirectory(duckdb::ClientContext &context,
                                                             duckdb::PhysicalCopyToFile &copy);

//! Ends a COPY whose `sink_state` was made, and that has got no rows
void FinishWithoutRows(duckdb::PhysicalCopyToFile &copy, duckdb::Pipeline &pipeline, duckdb::Event &event,
                       duckdb::ClientContext &context, duckdb::InterruptState &interrupt_state);

} // namespace duckherder
