#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace arrow {
class Buffer;
class RecordBatch;
} // namespace arrow

//! Whether bytes arrived as they were sent. TCP's own sums miss one error in 65,536, and a changed value would be a
//! wrong answer. Computed by DuckDB's checksum for its blocks: any change within one 8-byte word is found, others but
//! for one in 2^64. No protection against people: that is what TLS is for. Stateless, thread-safe.
namespace duckherder {

uint64_t ChecksumOf(const std::string &bytes);

//! Of a batch that is about to be sent: its lengths, and the buffers that go out
uint64_t ChecksumOf(const arrow::RecordBatch &batch, const std::vector<std::shared_ptr<arrow::Buffer>> &body);
//! The same of a batch as Arrow has read it, before anything is done with it
uint64_t ChecksumOf(const arrow::RecordBatch &received);

} // namespace duckherder
