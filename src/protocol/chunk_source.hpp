#pragma once

#include "duckdb/common/types.hpp"
#include "duckdb/common/types/data_chunk.hpp"
#include "duckdb/common/vector.hpp"

#include <functional>
#include <memory>

namespace arrow {
class RecordBatch;
} // namespace arrow

namespace duckherder {

//! Reads chunks one after another. One thread at a time uses it.
class ChunkReader {
public:
	virtual ~ChunkReader() = default;

	//! Fills `chunk` (initialized with the source's types) with the next rows, or leaves it empty at the end. The
	//! vectors may point into memory of the reader, which is valid until the next call or the reader's end. A source
	//! that broke off before its end marker throws; it never looks like an end.
	virtual void Next(duckdb::DataChunk &chunk) = 0;

	//! Does the same as Next, unless it would have to wait for rows. Then it returns false, and a thread that is not
	//! the caller's calls `on_news` once, when it is worth trying again, perhaps before this call returns. `on_news`
	//! may destroy the reader and its source.
	virtual bool TryNext(duckdb::DataChunk &chunk, const std::function<void()> &on_news) {
		(void)on_news;
		Next(chunk);
		return true;
	}

	//! Returns a number that never falls while the reader goes on, and that orders the chunks of all readers of a
	//! source: DuckDB's batch index. It is valid after Next has returned rows.
	virtual duckdb::idx_t BatchIndex() const = 0;

	//! Returns how many bytes have come from another process for this reader so far, as they were encoded.
	virtual uint64_t ReceivedBytes() const {
		return 0;
	}
};

//! Reads rows that were encoded where they were made, as ChunkEncoder of wire/ does it. One thread at a time uses it.
class BatchReader {
public:
	virtual ~BatchReader() = default;
	//! Returns null at the end. A source that broke off throws.
	virtual std::shared_ptr<arrow::RecordBatch> Next() = 0;
};

//! Rows that several threads may read together. Each row goes to exactly one reader. A source is thread-safe and
//! outlives its readers.
class ChunkSource {
public:
	virtual ~ChunkSource() = default;
	virtual const duckdb::vector<duckdb::LogicalType> &Types() const = 0;
	//! More readers than this would find nothing to do.
	virtual duckdb::idx_t MaxReaders() const = 0;
	//! How many threads read it for another process; one where the rows have to travel in their order.
	virtual duckdb::idx_t SendingThreads() const {
		return 1;
	}
	virtual std::unique_ptr<ChunkReader> OpenReader() = 0;
	//! Opens the only reader of a source that was asked to encode its rows. All other sources return null.
	virtual std::unique_ptr<BatchReader> OpenBatchReader() {
		return nullptr;
	}
	//! Wakes readers that wait: they throw InterruptException. The call is idempotent and may come from any thread.
	virtual void Cancel() {
	}
};

} // namespace duckherder
