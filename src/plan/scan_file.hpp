#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace duckherder {

//! Which version of a local file was planned with. Two processes compare it field by field: the time and the size
//! everywhere, the inode only where both see the same file system of the same machine.
struct LocalFileVersion {
	//! A hash of the machine's boot id; equal on all processes of one machine
	uint64_t host = 0;
	uint64_t device = 0;
	uint64_t inode = 0;
	uint64_t size_bytes = 0;
	//! Since the epoch
	int64_t modified_ns = 0;

	bool operator==(const LocalFileVersion &) const = default;
};

//! A file that tasks read, with what the session knows of it: what a task does not know it has to ask the store for,
//! and each request to an object store takes many milliseconds. `local`, the store's version or `footer_hash` says
//! which version of the file was planned with, and no task reads another one; with DuckDB 2.0 `footer_hash` does so
//! besides.
struct ScanFile {
	ScanFile() = default;
	//! Of which no more is known
	explicit ScanFile(std::string path_p) : path(std::move(path_p)) {
	}

	//! Where workers open it: an absolute path, or the URL as it was written
	std::string path;
	//! As the user wrote it, which is what the columns `filename` and those of hive partitions are made of; empty if it
	//! is `path`
	std::string written;
	//! Size, etag and last_modified_us are those of the store
	bool has_version = false;
	//! Never written again under this name, as the files of a lake: nobody has to look whether it changed
	bool immutable = false;
	uint64_t size_bytes = 0;
	//! As the store gave it; may be empty only if immutable
	std::string etag;
	//! Since the epoch
	int64_t last_modified_us = 0;
	//! Of the Parquet footer without its last 8 bytes; 0: not known
	uint64_t footer_bytes = 0;
	std::optional<LocalFileVersion> local;
	//! Of what the Parquet footer says of the file's row groups, for files of stores that tell no version; 0: not known
	uint64_t footer_hash = 0;

	const std::string &Written() const {
		return written.empty() ? path : written;
	}
	bool operator==(const ScanFile &) const = default;
};

} // namespace duckherder
