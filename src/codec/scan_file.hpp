#pragma once

#include "plan/pipeline_task.hpp"

#include "duckdb.hpp"
#include "duckdb/common/open_file_info.hpp"

namespace duckherder {

//! What a list of files knows of one of them: DuckDB's extended information, as lakes and listings of object stores
//! fill it in.
ScanFile DescribeFile(const duckdb::OpenFileInfo &file);

//! The other way round: who opens this asks the store for nothing that is known.
duckdb::OpenFileInfo ToOpenFileInfo(const ScanFile &file);

//! Behind a network protocol (s3://, https://, ...): reading it is mostly waiting.
bool IsRemote(const ScanFile &file);
//! Whether a worker that reads the split reads such a file
bool HasRemoteFiles(const ScanSplit &split);

} // namespace duckherder
