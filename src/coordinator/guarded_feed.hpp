#pragma once

#include "protocol/chunk_source.hpp"

#include "duckdb/common/error_data.hpp"

#include <memory>
#include <mutex>
#include <optional>

namespace duckherder {

//! A feed whose errors are the session's own: they are kept as they are, for the query, and its reader gets another one
//! in their place, which says only that the feed has failed. So a fatal or internal error of the session's scan does
//! not make the database of the worker invalid that reads it. Thread-safe.
class GuardedFeed : public ChunkSource {
public:
	explicit GuardedFeed(std::shared_ptr<ChunkSource> source);

	//! The first error of its readers, but for interrupts; nothing if there was none
	std::optional<duckdb::ErrorData> Error();

	const duckdb::vector<duckdb::LogicalType> &Types() const override;
	duckdb::idx_t MaxReaders() const override;
	duckdb::idx_t SendingThreads() const override;
	std::unique_ptr<ChunkReader> OpenReader() override;
	void Cancel() override;

private:
	class Reader;
	//! Throws what the reader of the feed gets
	[[noreturn]] void Fail(const std::exception &failure);

	std::shared_ptr<ChunkSource> source;
	std::mutex lock;
	std::optional<duckdb::ErrorData> error;
};

} // namespace duckherder
