#pragma once

#include "duckdb.hpp"

namespace duckherder {

//! Throws an IOException if this process does not see a file that a worker has written, or sees another size of it:
//! `what` ("the lake's data path") is not on storage that all nodes share then. Without a size only whether it is
//! there.
void CheckWrittenFile(duckdb::FileSystem &files, const duckdb::string &name, duckdb::optional_idx bytes,
                      const char *what);

} // namespace duckherder
