#pragma once

#include "common/ids.hpp"
#include "coordinator/gather_outputs.hpp"
#include "protocol/chunk_source.hpp"

#include <atomic>
#include <memory>
#include <optional>

namespace duckherder {

class GatherReader;
class QueryCoordinator;

//! All outputs of a gather stage, one after another in task order; each reader takes the next task that nobody has.
class GatherSource : public ChunkSource {
public:
	GatherSource(std::shared_ptr<QueryCoordinator> coordinator, StageId stage, duckdb::idx_t max_readers);
	//! Quiesces the query if this was the last one
	~GatherSource() override;

	const duckdb::vector<duckdb::LogicalType> &Types() const override;
	duckdb::idx_t MaxReaders() const override;
	std::unique_ptr<ChunkReader> OpenReader() override;
	std::unique_ptr<GatherReader> OpenGatherReader();

private:
	friend class GatherReader;

	std::shared_ptr<QueryCoordinator> coordinator;
	const StageId stage;
	const duckdb::idx_t max_readers;
	std::atomic<TaskId> next_task {0};
};

//! Next blocks while an output is not there; whoever has better things to do calls NextIfThere.
class GatherReader : public ChunkReader {
public:
	explicit GatherReader(GatherSource &parent);

	//! As Next, but returns false with an empty chunk instead of waiting for an output.
	bool NextIfThere(duckdb::DataChunk &chunk);
	//! Waits for that output, a short while at most. Any thread, while nobody else uses the reader.
	void Await();

	void Next(duckdb::DataChunk &chunk) override;
	duckdb::idx_t BatchIndex() const override;

private:
	void ReadNext(duckdb::DataChunk &chunk);
	//! Whether the output is there, or the end; opens it
	bool Ready();
	void Open(const GatherOutputs::Output &output);
	//! Lets go of the output
	void Drop();
	void Close();
	//! Returns if another output of the task may come: else throws this, or why the query has failed
	void GiveUp(const std::exception &error);

	GatherSource &parent;
	//! Whose output it reads, or waits for
	TaskId task = 0;
	bool claimed = false;
	//! Rows of it were handed out
	bool used = false;
	//! Where it comes from, while it is read from a worker
	std::optional<WorkerId> worker;
	Attempt attempt = 0;
	std::shared_ptr<ChunkSource> source;
	std::unique_ptr<ChunkReader> reader;
	//! What has come of the output by now, and how long that took
	uint64_t read_rows = 0;
	uint64_t read_us = 0;
};

} // namespace duckherder
