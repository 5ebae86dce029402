#pragma once

#include "protocol/chunk_source.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

//! A few rows as bytes within a message: the batches of chunk_codec.hpp, as these can be checked, which DuckDB's own
//! serialization of chunks cannot: it writes wherever the bytes say. Such bytes may be put one behind the other.
//! Stateless, thread-safe.
namespace duckherder {

//! All rows of a reader, or nothing if they are more than `bytes_max`.
std::optional<std::string> EncodeRows(ChunkReader &reader, const duckdb::vector<duckdb::LogicalType> &types,
                                      uint64_t bytes_max);

//! The rows again, in their order, for one reader. Bytes that are no rows of these types are noticed when they are
//! read: IOException.
std::shared_ptr<ChunkSource> DecodeRows(std::shared_ptr<const std::string> bytes,
                                        duckdb::vector<duckdb::LogicalType> types);

//! The rows of the partitions [first, first + count). Throws IOException if there are not so many.
std::shared_ptr<ChunkSource> DecodePartitions(const std::vector<std::string> &partitions, uint32_t first,
                                              uint32_t count, duckdb::vector<duckdb::LogicalType> types);

} // namespace duckherder
