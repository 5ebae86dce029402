#pragma once

#include "plan/pipeline_task.hpp"

#include "duckdb.hpp"
#include "duckdb/common/multi_file/base_file_reader.hpp"

namespace duckherder {

// What DuckDB's Parquet reader knows of a file that it has opened. `reader` is always such a reader; the headers that
// say what it looks like are included in one place, as they bring those of Thrift and of compression libraries.

//! The rows of each row group, in order
duckdb::vector<duckdb::idx_t> RowGroupRows(duckdb::BaseFileReader &reader);

//! Whether the bounds in the footer are in the order of the column's type. Writers of before 2017 have put them into
//! other fields, in an order of their own: signed for unsigned numbers, byte by byte for decimals.
bool HasOrderedBounds(duckdb::BaseFileReader &reader);

//! A reader that reads by `reader`, which has been told its columns: the row groups with rows of `rows` only, in order,
//! and of the others nothing. With `at_borders` it throws a FileVersionException if `rows` does not begin and end where
//! row groups do: the range was cut for another footer. Without it the first and the last row group may have other rows
//! besides.
duckdb::shared_ptr<duckdb::BaseFileReader> ReadOnlyRowGroups(const ScanFile &file, const RowRange &rows,
                                                             bool at_borders,
                                                             duckdb::shared_ptr<duckdb::BaseFileReader> reader);

//! Fills in which version the reader has opened, for a file of a store: by what the store says of it, else by what its
//! footer says. Local files have a version already, which is compared with the one that was opened: throws a
//! FileVersionException if they are not the same.
void AddOpenedVersion(ScanFile &file, duckdb::BaseFileReader &reader);

//! Throws a FileVersionException if the reader has opened another version than the one that was planned with.
void CheckOpenedVersion(const ScanFile &file, duckdb::BaseFileReader &reader);

//! DuckDB's cache of footers keeps neither that a file was encrypted nor what decrypts it. Gives the reader what
//! decrypts, and throws what DuckDB throws without the cache if only one of file and query has to do with encryption.
void PrepareDecryption(duckdb::ClientContext &context, duckdb::BaseFileReader &reader);

} // namespace duckherder
