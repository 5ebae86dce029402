#pragma once

#include "common/ids.hpp"
#include "common/task_error.hpp"

#include "duckdb.hpp"
#include "duckdb/common/error_data.hpp"
#include "duckdb/common/exception.hpp"

#include <string>

namespace duckherder {

//! Longer messages (a conversion error quotes the value) are cut: an error must always fit on its way back.
constexpr uint64_t ERROR_MESSAGE_BYTES_MAX = 64ULL << 10;

//! Another file is where the query has planned to read one: replaced since, or another one on this machine. It is told
//! to the user at once, as trying again elsewhere would hide that a machine has other files than the session.
class FileVersionException : public duckdb::IOException {
public:
	//! What errors of this kind have in their extra information, which survives the way through DuckDB
	static constexpr const char *EXTRA_INFO = "file_version";

	FileVersionException(const std::string &path, const std::string &difference);
};

//! What happened at `worker_id` (empty: on the driver), with DuckDB's class and bare message. The kind follows from
//! them:
//!   CANCELLED  an interrupt
//!   WORKER_FAILURE memory, connections, threads, a database that shut down after a fatal error, HTTP answers that may
//!   be
//!              different next time (none at all, 408, 425, 429, 5xx), and IO
//!   USER       everything else, and those IO errors that say something about the files which the query names, and so
//!              are the same everywhere: missing, no permission, not a file (by errno), no match for a pattern (by
//!              text)
//! An IO error that is not known to be the file's is retried: that costs some tries, while a disk error that counts as
//! the user's would fail a query that another worker can answer. A Parquet file with wrong content is InvalidInput.
//! LOST_INPUT is never the result: only a worker's input knows whose output was lost.
TaskError ToTaskError(const std::exception &error, const WorkerId &worker_id);
TaskError ToTaskError(const duckdb::ErrorData &error, const WorkerId &worker_id);

//! Throws what DuckDB itself would have thrown here, with the place appended once: " (on worker X)". A fatal or
//! internal error elsewhere is no reason to shut down the database of this process, which DuckDB does for those
//! classes: it arrives as an IOException that names its class.
[[noreturn]] void ThrowTaskError(const TaskError &error);

} // namespace duckherder
