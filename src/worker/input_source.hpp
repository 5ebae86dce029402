#pragma once

#include "protocol/chunk_source.hpp"
#include "protocol/messages.hpp"
#include "worker/task_measures.hpp"

#include "duckdb.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace duckherder {

//! Remembers which worker an input was lost at: DuckDB passes on only type and message of an exception. Thread-safe.
class LostInput {
public:
	//! The first one counts
	void Set(const WorkerId &worker);
	//! Empty if no input was lost
	WorkerId Get() const;

private:
	mutable std::mutex lock;
	WorkerId worker;
};

//! Opens an output of another worker. Throws IOException if that cannot be reached or does not have it.
using OutputOpener = std::function<std::shared_ptr<ChunkSource>(const OutputLocation &)>;

//! The outputs of a stage as one source, in task order: readers take whole outputs one after another, and share what is
//! left at the end. An IOException (or its like) on the way is a lost input.
class StageInputSource : public ChunkSource, public std::enable_shared_from_this<StageInputSource> {
public:
	struct Output {
		OutputLocation location;
		//! Null: opened with `open` when a reader comes to it
		std::shared_ptr<ChunkSource> source;
	};

	//! What is read counts for `stage` in `measures`.
	StageInputSource(std::vector<Output> outputs, duckdb::vector<duckdb::LogicalType> types, OutputOpener open,
	                 std::shared_ptr<LostInput> lost, std::shared_ptr<TaskMeasures> measures, StageId stage,
	                 duckdb::idx_t max_readers);
	~StageInputSource() override;

	const duckdb::vector<duckdb::LogicalType> &Types() const override;
	duckdb::idx_t MaxReaders() const override;
	std::unique_ptr<ChunkReader> OpenReader() override;
	void Cancel() override;

private:
	friend class StageInputReader;
	struct Entry;

	//! An output from number `first` on that a reader can help with, the smallest that nobody reads if there is one.
	//! Null at the end.
	std::shared_ptr<Entry> Claim(duckdb::idx_t first);
	//! Opens the output if nobody has. Returns its source if it has room for another reader. Blocks on the network.
	std::shared_ptr<ChunkSource> Join(Entry &entry);
	//! Remembers where the input was lost if that is what the error says
	void LoseIfGone(const Entry &entry, const std::exception &error);

	duckdb::vector<duckdb::LogicalType> types;
	OutputOpener open;
	std::shared_ptr<LostInput> lost;
	std::shared_ptr<TaskMeasures> measures;
	TaskMeasures::Input &counts;
	duckdb::idx_t max_readers;
	std::atomic<bool> cancelled {false};
	//! Guards the entries' claims and sources, never held while something is opened or read
	std::mutex lock;
	std::vector<std::shared_ptr<Entry>> entries;
};

//! Counts what a feed delivers.
class CountingSource : public ChunkSource {
public:
	CountingSource(std::shared_ptr<ChunkSource> source, std::shared_ptr<std::atomic<uint64_t>> rows);

	const duckdb::vector<duckdb::LogicalType> &Types() const override;
	duckdb::idx_t MaxReaders() const override;
	std::unique_ptr<ChunkReader> OpenReader() override;
	void Cancel() override;

private:
	std::shared_ptr<ChunkSource> source;
	std::shared_ptr<std::atomic<uint64_t>> rows;
};

} // namespace duckherder
