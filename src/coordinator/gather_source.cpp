#include "coordinator/gather_source.hpp"

#include "coordinator/query_coordinator.hpp"
#include "planner/place/plan_work.hpp"
#include "wire/errors.hpp"
#include "wire/row_codec.hpp"

#include "duckdb/common/exception.hpp"

namespace duckherder {

using duckdb::DataChunk;
using duckdb::idx_t;

//! Distance between the batch indexes of two outputs. DuckDB has room for 10^13 in a pipeline: the most tasks that a
//! stage can have are 64,000, and nobody has this many batches.
static constexpr idx_t BATCHES_PER_TASK = 100000000;

GatherReader::GatherReader(GatherSource &parent_p) : parent(parent_p) {
}

bool GatherReader::Ready() {
	if (!claimed) {
		task = parent.next_task++;
		claimed = true;
	}
	if (reader) {
		return true;
	}
	auto task_count = parent.coordinator->TaskCount(parent.stage);
	if (task_count && task >= *task_count) {
		return true;
	}
	auto output = parent.coordinator->Outputs().IfReady({parent.stage, task});
	if (!output) {
		return false;
	}
	if (output->rows) {
		source = DecodePartitions(*output->rows, 0, 1, parent.Types());
		reader = source->OpenReader();
	} else {
		Open(*output);
	}
	return true;
}

void GatherReader::Await() {
	parent.coordinator->Outputs().Await({parent.stage, task});
}

bool GatherReader::NextIfThere(DataChunk &chunk) {
	while (true) {
		try {
			if (!Ready()) {
				return false;
			}
			if (!reader) {
				chunk.SetChildCardinality(0);
				return true;
			}
			if (parent.coordinator->Outputs().Interrupted()) {
				throw duckdb::InterruptException();
			}
			ReadNext(chunk);
		} catch (std::exception &error) {
			GiveUp(error);
			chunk.Reset();
			continue;
		}
		if (chunk.size() > 0) {
			used = true;
			return true;
		}
		Close();
	}
}

void GatherReader::ReadNext(DataChunk &chunk) {
	auto start = parent.coordinator->NowUs();
	reader->Next(chunk);
	read_us += parent.coordinator->NowUs() - start;
	read_rows += chunk.size();
}

void GatherReader::GiveUp(const std::exception &error) {
	// a query that has failed drops its outputs: that is no news
	parent.coordinator->Outputs().ThrowIfFailed();
	if (!worker) {
		throw;
	}
	auto lost = ToTaskError(error, *worker);
	if (lost.kind != ErrorKind::WORKER_FAILURE) {
		throw;
	}
	if (used) {
		lost.message =
		    "The rest of a task's rows cannot be read, and what came before has been used, so that the query "
		    "cannot go on: " +
		    lost.message;
		ThrowTaskError(lost);
	}
	Drop();
	parent.coordinator->OutputLost({parent.stage, task}, attempt, lost);
}

void GatherReader::Next(DataChunk &chunk) {
	while (!NextIfThere(chunk)) {
		Await();
	}
}

idx_t GatherReader::BatchIndex() const {
	return task * BATCHES_PER_TASK + (reader ? reader->BatchIndex() : 0);
}

void GatherReader::Open(const GatherOutputs::Output &output) {
	worker = output.worker.id;
	attempt = output.attempt;
	source = parent.coordinator->OpenOutput({parent.stage, task}, output);
	reader = source->OpenReader();
}

void GatherReader::Drop() {
	reader.reset();
	source.reset();
	worker.reset();
	used = false;
	read_rows = 0;
	read_us = 0;
}

void GatherReader::Close() {
	if (worker) {
		parent.coordinator->NoteTransfer(read_rows * MovedRowBytes(parent.Types()), read_us);
	}
	Drop();
	parent.coordinator->OutputConsumed({parent.stage, task});
	claimed = false;
}

GatherSource::GatherSource(std::shared_ptr<QueryCoordinator> coordinator_p, StageId stage_p, idx_t max_readers_p)
    : coordinator(std::move(coordinator_p)), stage(stage_p), max_readers(max_readers_p) {
}

GatherSource::~GatherSource() {
	coordinator->GatherClosed();
}

const duckdb::vector<duckdb::LogicalType> &GatherSource::Types() const {
	return coordinator->TypesOf(stage);
}

idx_t GatherSource::MaxReaders() const {
	return max_readers;
}

std::unique_ptr<ChunkReader> GatherSource::OpenReader() {
	return OpenGatherReader();
}

std::unique_ptr<GatherReader> GatherSource::OpenGatherReader() {
	return std::make_unique<GatherReader>(*this);
}

} // namespace duckherder
