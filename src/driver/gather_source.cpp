#include "driver/gather_source.hpp"

#include "duckdb/common/exception.hpp"

namespace duckherder {

using duckdb::DataChunk;
using duckdb::idx_t;

//! Batch indexes of one task's output; DuckDB's own scans stay far below
static constexpr idx_t BATCHES_PER_TASK = idx_t(1) << 32;

class GatherReader : public ChunkReader {
public:
	explicit GatherReader(GatherSource &parent_p) : parent(parent_p) {
	}

	void Next(DataChunk &chunk) override {
		while (true) {
			if (!reader && !OpenNext()) {
				chunk.SetCardinality(0);
				return;
			}
			if (parent.coordinator->context.interrupted) {
				throw duckdb::InterruptException();
			}
			try {
				reader->Next(chunk);
			} catch (std::exception &) {
				parent.coordinator->ThrowIfFailed();
				throw;
			}
			if (chunk.size() > 0) {
				return;
			}
			Close();
		}
	}

	idx_t BatchIndex() const override {
		return task * BATCHES_PER_TASK + (reader ? reader->BatchIndex() : 0);
	}

private:
	bool OpenNext() {
		task = parent.next_task++;
		if (task >= parent.task_count) {
			return false;
		}
		auto &coordinator = *parent.coordinator;
		auto output = coordinator.WaitForOutput(parent.stage, task);
		FetchRequest request;
		request.query_id = coordinator.query_id;
		request.stage_id = parent.stage;
		request.task_id = task;
		request.attempt = output.attempt;
		request.worker_id = output.worker.id;
		try {
			source = coordinator.services.connector->Connect(output.worker)->Fetch(request, parent.Types());
		} catch (std::exception &) {
			// a query that has failed drops its outputs: that is no news
			coordinator.ThrowIfFailed();
			throw;
		}
		reader = source->OpenReader();
		return true;
	}

	void Close() {
		reader.reset();
		source.reset();
		parent.coordinator->OutputConsumed(parent.stage, task);
	}

	GatherSource &parent;
	TaskId task = 0;
	std::shared_ptr<ChunkSource> source;
	std::unique_ptr<ChunkReader> reader;
};

GatherSource::GatherSource(std::shared_ptr<QueryCoordinator> coordinator_p, StageId stage_p)
    : coordinator(std::move(coordinator_p)), stage(stage_p),
      task_count(static_cast<TaskId>(coordinator->graph.stages[stage].tasks.size())) {
}

const duckdb::vector<duckdb::LogicalType> &GatherSource::Types() const {
	return coordinator->plan.stages[stage].types;
}

idx_t GatherSource::MaxReaders() const {
	return task_count;
}

std::unique_ptr<ChunkReader> GatherSource::OpenReader() {
	return std::make_unique<GatherReader>(*this);
}

} // namespace duckherder
