#pragma once

#include "duckdb/common/types/data_chunk.hpp"
#include "duckdb/common/types/datetime.hpp"
#include "duckdb/common/types/vector.hpp"

#if DUCKHERDER_DUCKDB_MAJOR >= 2
#include "duckdb/common/vector/array_vector.hpp"
#include "duckdb/common/vector/constant_vector.hpp"
#include "duckdb/common/vector/flat_vector.hpp"
#include "duckdb/common/vector/list_vector.hpp"
#include "duckdb/common/vector/string_vector.hpp"
#include "duckdb/common/vector/struct_vector.hpp"
#include "duckdb/common/vector/unified_vector_format.hpp"
#endif

//! Vectors as both versions of DuckDB have them: in 2.0 they know how many rows they have.

#if DUCKHERDER_DUCKDB_MAJOR < 2

namespace duckdb {

//! A number of rows is a type of its own in 2.0
using count_t = idx_t;

} // namespace duckdb

#endif

namespace duckherder {

#if DUCKHERDER_DUCKDB_MAJOR < 2

//! One of the vectors of a STRUCT
inline duckdb::Vector &ChildOf(const duckdb::unique_ptr<duckdb::Vector> &entry) {
	return *entry;
}

inline void FlattenRows(duckdb::Vector &vector, duckdb::idx_t count) {
	vector.Flatten(count);
}

inline int64_t MicrosOf(duckdb::dtime_t time) {
	return time.micros;
}

//! The listed rows, which stay where they are
inline duckdb::SelectionVector Selection(duckdb::sel_t *rows, duckdb::idx_t) {
	return duckdb::SelectionVector(rows);
}

//! Appends the selected rows, for which the chunk has room
inline void AppendSelected(duckdb::DataChunk &target, const duckdb::DataChunk &source,
                           const duckdb::SelectionVector &rows, duckdb::idx_t count) {
	target.Append(source, false, const_cast<duckdb::SelectionVector *>(&rows), count);
}

//! Appends all rows, and makes room for them
inline void AppendAll(duckdb::DataChunk &target, const duckdb::DataChunk &source) {
	target.Append(source, true);
}

//! After the chunk was reset: it can take as many rows as it was made for
inline void SetCapacity(duckdb::DataChunk &chunk, duckdb::idx_t rows) {
	chunk.SetCapacity(rows);
}

#else

inline duckdb::Vector &ChildOf(duckdb::Vector &entry) {
	return entry;
}

inline void FlattenRows(duckdb::Vector &vector, duckdb::idx_t) {
	vector.Flatten();
}

inline int64_t MicrosOf(duckdb::dtime_t time) {
	return time.value;
}

inline duckdb::SelectionVector Selection(duckdb::sel_t *rows, duckdb::idx_t count) {
	return duckdb::SelectionVector(rows, count);
}

inline void AppendSelected(duckdb::DataChunk &target, const duckdb::DataChunk &source,
                           const duckdb::SelectionVector &rows, duckdb::idx_t count) {
	target.Append(source, rows, count);
}

inline void AppendAll(duckdb::DataChunk &target, const duckdb::DataChunk &source) {
	target.Append(source, duckdb::VectorAppendMode::ALLOW_RESIZE);
}

//! A chunk of 2.0 keeps its capacity
inline void SetCapacity(duckdb::DataChunk &, duckdb::idx_t) {
}

#endif

} // namespace duckherder
