#pragma once

#include "compat/parquet_file.hpp"
#include "plan/pipeline_task.hpp"

#include "duckdb.hpp"
#include "duckdb/common/multi_file/base_file_reader.hpp"

namespace duckherder {

// What a Parquet file that DuckDB has opened is to a scan that was planned before: the same version of it or not, and
// which row groups are read.

//! A reader that reads by `reader`, which OpenParquetFile has opened and which has been told its columns: the row
//! groups with rows of `rows` only, in order, and of the others nothing. With `at_borders` it throws a
//! FileVersionException if `rows` does not begin and end where row groups do: the range was cut for another footer.
//! Without it the first and the last row group may have other rows besides.
duckdb::shared_ptr<duckdb::BaseFileReader> ReadOnlyRowGroups(duckdb::ClientContext &context, const ScanFile &file,
                                                             const RowRange &rows, bool at_borders,
                                                             duckdb::shared_ptr<duckdb::BaseFileReader> reader);

//! Fills in which version the reader has opened, for a file of a store: by what the store says of it, else by what its
//! footer says. Local files have a version already, which is compared with the one that was opened: throws a
//! FileVersionException if they are not the same.
void AddOpenedVersion(duckdb::ClientContext &context, ScanFile &file, duckdb::BaseFileReader &reader);

//! Throws a FileVersionException if the reader has opened another version than the one that was planned with.
void CheckOpenedVersion(duckdb::ClientContext &context, const ScanFile &file, duckdb::BaseFileReader &reader);

} // namespace duckherder
