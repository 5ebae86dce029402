#pragma once

#include "plan/pipeline_task.hpp"
#include "wire/errors.hpp"

#include "duckdb.hpp"
#include "duckdb/common/open_file_info.hpp"

#include <optional>
#include <string>

namespace duckherder {

//! What a list of files knows of one of them: DuckDB's extended information, as lakes and listings of object stores
//! fill it in. What a listing of a local directory says is left out: it counts seconds, see LocateFile.
ScanFile DescribeFile(const duckdb::OpenFileInfo &file);

//! The other way round: who opens this asks the store for nothing that is known.
duckdb::OpenFileInfo ToOpenFileInfo(const ScanFile &file);

//! Of a local file: its path from the root of the file system, as this session's directory and home have it, and its
//! version. Throws an IOException if it is not there. Others stay as they are.
void LocateFile(duckdb::ClientContext &context, ScanFile &file);

//! Nothing if there is no such file
std::optional<LocalFileVersion> VersionOfLocalFile(const std::string &path);
//! In words; empty if they are the same
std::string DifferenceOf(const LocalFileVersion &planned, const LocalFileVersion &found);

//! Not behind a protocol: a path of the machine's own file system, or a file:/ URL
bool IsLocalPath(const std::string &path);
//! Behind a network protocol that DuckDB's own extensions speak (s3://, https://, ...): reading it is mostly waiting.
bool IsRemote(const ScanFile &file);
//! Whether a worker that reads the split reads such a file
bool HasRemoteFiles(const ScanSplit &split);

} // namespace duckherder
