#include "seeded_faults.hpp"

#include "wire/errors.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/common/types/hash.hpp"

#include <arrow/record_batch.h>

#include <chrono>
#include <sstream>
#include <thread>

namespace duckherder {

using duckdb::IOException;

namespace {

constexpr uint64_t DELAY_MS_MAX = 200;
constexpr uint64_t CHUNKS_MAX = 4;

void Wait(uint64_t draw) {
	std::this_thread::sleep_for(std::chrono::milliseconds(draw / 8 % DELAY_MS_MAX));
}

//! An output breaks off after so many of its parts
class Break {
public:
	explicit Break(uint64_t parts) : left(parts) {
	}
	//! Before each
	void Pass() {
		if (left-- == 0) {
			throw IOException("a fault: the output broke off");
		}
	}

private:
	uint64_t left;
};

class BrokenChunks : public ChunkReader {
public:
	BrokenChunks(std::unique_ptr<ChunkReader> reader_p, Break end_p) : reader(std::move(reader_p)), end(end_p) {
	}
	void Next(duckdb::DataChunk &chunk) override {
		end.Pass();
		reader->Next(chunk);
	}
	duckdb::idx_t BatchIndex() const override {
		return reader->BatchIndex();
	}

private:
	std::unique_ptr<ChunkReader> reader;
	Break end;
};

class BrokenBatches : public BatchReader {
public:
	BrokenBatches(std::unique_ptr<BatchReader> reader_p, Break end_p) : reader(std::move(reader_p)), end(end_p) {
	}
	std::shared_ptr<arrow::RecordBatch> Next() override {
		end.Pass();
		return reader->Next();
	}

private:
	std::unique_ptr<BatchReader> reader;
	Break end;
};

class BrokenOutput : public ChunkSource {
public:
	BrokenOutput(std::shared_ptr<ChunkSource> source_p, Break end_p) : source(std::move(source_p)), end(end_p) {
	}
	const duckdb::vector<duckdb::LogicalType> &Types() const override {
		return source->Types();
	}
	duckdb::idx_t MaxReaders() const override {
		return source->MaxReaders();
	}
	std::unique_ptr<ChunkReader> OpenReader() override {
		return std::make_unique<BrokenChunks>(source->OpenReader(), end);
	}
	std::unique_ptr<BatchReader> OpenBatchReader() override {
		auto batches = source->OpenBatchReader();
		return batches ? std::make_unique<BrokenBatches>(std::move(batches), end) : nullptr;
	}
	void Cancel() override {
		source->Cancel();
	}

private:
	std::shared_ptr<ChunkSource> source;
	//! Of each reader
	const Break end;
};

TaskResult Failed(const TaskRequest &request, const char *what) {
	TaskResult result;
	result.failed = true;
	result.error = ToTaskError(IOException("a fault: %s", what), request.worker_id);
	return result;
}

} // namespace

SeededFaults::SeededFaults(const std::string &text) {
	std::istringstream words(text);
	if (!text.empty() && (!(words >> seed >> percent) || percent > 100)) {
		throw duckdb::InvalidInputException("DUCKHERDER_FAULT_SEED is '%s', not \"SEED PERCENT\"", text);
	}
}

uint64_t SeededFaults::Draw(const std::string &what) const {
	auto key = std::to_string(seed) + " " + what;
	auto hash = duckdb::Hash(key.c_str(), key.size());
	return hash % 100 < percent ? hash / 100 | 1ULL << 63 : 0;
}

TaskResult SeededFaults::RunTask(WorkerService &worker, const TaskRequest &request, std::shared_ptr<ChunkSource> feed) {
	std::ostringstream what;
	what << "task " << request.stage_id << " " << request.task_id << " " << request.attempt << " "
	     << (request.fragment ? request.fragment->size() : 0);
	auto draw = Draw(what.str());
	if (draw == 0) {
		return worker.RunTask(request, std::move(feed));
	}
	auto kind = draw % 4;
	if (kind == 0) {
		return Failed(request, "the task did not begin");
	}
	if (kind == 1) {
		Wait(draw);
	}
	auto result = worker.RunTask(request, std::move(feed));
	if (kind == 2) {
		Wait(draw);
	}
	return kind == 3 && !result.failed ? Failed(request, "the result was lost") : result;
}

std::shared_ptr<ChunkSource> SeededFaults::Fetch(WorkerService &worker, const FetchRequest &request,
                                                 const duckdb::vector<duckdb::LogicalType> &types) {
	std::ostringstream what;
	what << "output " << request.stage_id << " " << request.task_id << " " << request.attempt << " "
	     << request.partition << " " << request.partition_count;
	if (percent > 0) {
		std::lock_guard<std::mutex> guard(lock);
		what << " " << reads[request.query_id + " " + what.str()]++;
	}
	auto draw = Draw(what.str());
	if (draw == 0) {
		return worker.Fetch(request, types);
	}
	auto kind = draw % 3;
	if (kind == 0) {
		throw IOException("a fault: the output cannot be opened");
	}
	if (kind == 1) {
		Wait(draw);
		return worker.Fetch(request, types);
	}
	return std::make_shared<BrokenOutput>(worker.Fetch(request, types), Break(draw / 3 % CHUNKS_MAX));
}

} // namespace duckherder
