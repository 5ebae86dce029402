#pragma once

#include "compat/names.hpp"

#include "duckdb.hpp"
#include "duckdb/common/multi_file/base_file_reader.hpp"
#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/function/partition_stats.hpp"

#include <string>

//! Readers of one Parquet file each, as DuckDB opens them. In 1.5 they are objects of its ParquetReader, in 2.0 they
//! run a table function that reads one file, and tell less of its footer.

namespace duckherder {

//! Opens the file as the scan itself would, in a way that lets ReadRowGroups say what is read of it.
duckdb::shared_ptr<duckdb::BaseFileReader> OpenParquetFile(duckdb::ClientContext &context,
                                                           duckdb::GlobalTableFunctionState &gstate,
                                                           const duckdb::OpenFileInfo &file, duckdb::idx_t file_idx,
                                                           const duckdb::MultiFileBindData &bind_data);

//! The rows of each row group, in order
duckdb::vector<duckdb::idx_t> RowGroupRows(duckdb::ClientContext &context, duckdb::BaseFileReader &reader);

//! A reader that reads by `reader`, which OpenParquetFile has opened and which has been told its columns: the row
//! groups from `first` on, before `end`, in order.
duckdb::shared_ptr<duckdb::BaseFileReader> ReadRowGroups(duckdb::shared_ptr<duckdb::BaseFileReader> reader,
                                                         duckdb::idx_t first, duckdb::idx_t end);

//! Whether the bounds in the footer are in the order of the column's type. Writers of before 2017 have put them into
//! other fields, in an order of their own: signed for unsigned numbers, byte by byte for decimals. 2.0 only says of a
//! column whether its bounds are exact, which those writers did not know to say.
bool HasOrderedBounds(duckdb::BaseFileReader &reader, const duckdb::vector<duckdb::PartitionStatistics> &groups,
                      duckdb::idx_t column);

//! Of what the footer says of rows and bounds: two files of equal length that differ in what they hold differ in some
//! of it. Never 0.
uint64_t FooterHash(duckdb::ClientContext &context, duckdb::BaseFileReader &reader);

//! What the file system says of a file that is open
struct OpenedFile {
	//! Empty if it knows none
	std::string version_tag;
	int64_t last_modified_us = 0;
	uint64_t size_bytes = 0;
};

//! Of the file that the reader has open; in 2.0, which keeps that to itself, of the one that has its name now.
OpenedFile DescribeOpenedFile(duckdb::ClientContext &context, duckdb::BaseFileReader &reader);

//! Whether DescribeOpenedFile may speak of another file than the one whose footer was read
constexpr bool OPENED_FILE_IS_A_LATER_ONE = DUCKHERDER_DUCKDB_MAJOR >= 2;

//! 1.5's cache of footers keeps neither that a file was encrypted nor what decrypts it. Gives the reader what decrypts,
//! and throws what DuckDB throws without the cache if only one of file and query has to do with encryption.
void PrepareDecryption(duckdb::ClientContext &context, duckdb::BaseFileReader &reader);

} // namespace duckherder
