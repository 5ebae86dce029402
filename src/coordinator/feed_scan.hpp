#pragma once

#include "engine/key_set.hpp"
#include "plan/pipeline_task.hpp"
#include "planner/interface/distributed_plan.hpp"
#include "protocol/chunk_source.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

#include <atomic>
#include <memory>
#include <mutex>

namespace duckherder {

//! Rows that a feed may leave out; as FilterScanByKeys.
struct FeedFilter {
	duckdb::idx_t column = 0;
	std::shared_ptr<const KeySet> keys;
	std::shared_ptr<std::atomic<uint64_t>> pruned;
};

//! Reads a scan of the user's session for tasks: with the scan's own table function, under the query's own transaction,
//! projection and filters pushed in, and with the steps above it. Made per execution; Open is thread-safe.
//! Lifetimes: `context` must be in a query and `scan` must stay until all sources and readers are gone.
class FeedScan {
public:
	//! `sending_threads`: at most as many read the rows of one split for a worker in another process, in any order
	FeedScan(duckdb::ClientContext &context, const StageScan &scan, duckdb::idx_t sending_threads);
	~FeedScan();

	//! The rows of one split. Splits by rows open a scan each. Splits of kind FEED share one scan: each row goes to
	//! whichever task asks first, so those that were read cannot be opened again for a retry (IOException).
	//! `filters` apply to scans of their own only: what tasks share ignores them.
	std::shared_ptr<ChunkSource> Open(const ScanSplit &split, TaskId task, const std::vector<FeedFilter> &filters);

	//! Of a split of kind FEED: a reader was opened, and may have taken rows
	bool WasRead(TaskId task);

	//! Ends the scan that tasks share, for all of them. Cancel of a source ends it only for its task.
	void Cancel();

	//! Whether a task can read its split a second time.
	static bool Repeatable(const ScanSplit &split) {
		return split.Kind() != SplitKind::FEED;
	}

private:
	class Impl;
	duckdb::ClientContext &context;
	duckdb::LogicalGet &get;
	//! Filters and projections above it, from the lowest on
	const duckdb::vector<duckdb::unique_ptr<duckdb::LogicalOperator>> &steps;
	const duckdb::idx_t sending_threads;
	std::mutex lock;
	//! The one scan behind all splits of kind FEED
	std::shared_ptr<Impl> shared;
	//! In front of it if it knows only one thread
	std::shared_ptr<ChunkSource> turns;
	//! Not the other lock, which is held while a scan opens its files
	std::mutex opened_lock;
	//! Tasks whose splits of kind FEED have a reader
	duckdb::set<TaskId> opened;
};

} // namespace duckherder
