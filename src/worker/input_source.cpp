#include "worker/input_source.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! Distance between the batch indexes of two outputs. DuckDB allows 10^13 per pipeline: room for 10^5 outputs (the most
//! tasks a stage can have is 64,000) of 10^8 batches.
constexpr idx_t BATCHES_PER_OUTPUT = 100000000;

} // namespace

void LostInput::Set(const WorkerId &worker_p) {
	std::lock_guard<std::mutex> guard(lock);
	if (worker.empty()) {
		worker = worker_p;
	}
}

WorkerId LostInput::Get() const {
	std::lock_guard<std::mutex> guard(lock);
	return worker;
}

struct StageInputSource::Entry {
	idx_t number = 0;
	OutputLocation location;
	//! Held while the output is opened: who wants to help waits
	std::mutex opening;
	//! Some reader is or was here
	bool claimed = false;
	//! Another worker has it
	bool remote = false;
	idx_t reader_count = 0;
	std::shared_ptr<ChunkSource> source;
};

StageInputSource::StageInputSource(std::vector<Output> outputs, vector<LogicalType> types_p, OutputOpener open_p,
                                   std::shared_ptr<LostInput> lost_p, std::shared_ptr<TaskMeasures> measures_p,
                                   StageId stage, idx_t max_readers_p)
    : types(std::move(types_p)), open(std::move(open_p)), lost(std::move(lost_p)), measures(std::move(measures_p)),
      counts(measures->Of(stage)) {
	idx_t useful_readers = 0;
	for (auto &output : outputs) {
		auto entry = std::make_shared<Entry>();
		entry->number = entries.size();
		entry->location = std::move(output.location);
		entry->source = std::move(output.source);
		entry->remote = !entry->source;
		useful_readers += entry->source ? entry->source->MaxReaders() : 1;
		entries.push_back(std::move(entry));
	}
	max_readers = MaxValue<idx_t>(MinValue<idx_t>(useful_readers, max_readers_p), 1);
}

StageInputSource::~StageInputSource() {
}

const vector<LogicalType> &StageInputSource::Types() const {
	return types;
}

idx_t StageInputSource::MaxReaders() const {
	return max_readers;
}

void StageInputSource::Cancel() {
	cancelled = true;
	std::vector<std::shared_ptr<ChunkSource>> sources;
	{
		std::lock_guard<std::mutex> guard(lock);
		for (auto &entry : entries) {
			if (entry->source) {
				sources.push_back(entry->source);
			}
		}
	}
	for (auto &source : sources) {
		source->Cancel();
	}
}

std::shared_ptr<StageInputSource::Entry> StageInputSource::Claim(idx_t first) {
	std::lock_guard<std::mutex> guard(lock);
	for (auto i = first; i < entries.size(); i++) {
		if (!entries[i]->claimed) {
			entries[i]->claimed = true;
			return entries[i];
		}
	}
	for (auto i = first; i < entries.size(); i++) {
		auto &entry = *entries[i];
		if (!entry.source || entry.reader_count < entry.source->MaxReaders()) {
			return entries[i];
		}
	}
	return nullptr;
}

std::shared_ptr<ChunkSource> StageInputSource::Join(Entry &entry) {
	std::lock_guard<std::mutex> opening(entry.opening);
	std::shared_ptr<ChunkSource> source;
	{
		std::lock_guard<std::mutex> guard(lock);
		source = entry.source;
	}
	if (!source) {
		try {
			source = open(entry.location);
		} catch (const std::exception &error) {
			LoseIfGone(entry, error);
			throw;
		}
	}
	std::lock_guard<std::mutex> guard(lock);
	entry.source = source;
	if (cancelled) {
		// Cancel may have come before the source was there to be told
		source->Cancel();
		throw InterruptException();
	}
	if (entry.reader_count >= source->MaxReaders()) {
		return nullptr;
	}
	entry.reader_count++;
	return source;
}

void StageInputSource::LoseIfGone(const Entry &entry, const std::exception &error) {
	auto type = ErrorData(error).Type();
	auto gone = type == ExceptionType::IO || type == ExceptionType::CONNECTION || type == ExceptionType::NETWORK;
	if (gone && !cancelled) {
		lost->Set(entry.location.worker.id);
	}
}

class StageInputReader : public ChunkReader {
public:
	explicit StageInputReader(std::shared_ptr<StageInputSource> source_p) : source(std::move(source_p)) {
	}
	~StageInputReader() override {
		LeaveOutput();
	}

	void Next(DataChunk &chunk) override {
		while (true) {
			if (source->cancelled) {
				throw InterruptException();
			}
			if (!reader && !NextOutput()) {
				chunk.Reset();
				return;
			}
			try {
				MeasuredRead measured(*source->measures, source->counts, entry->remote);
				reader->Next(chunk);
			} catch (const std::exception &error) {
				source->LoseIfGone(*entry, error);
				throw;
			}
			if (chunk.size() > 0) {
				return;
			}
			LeaveOutput();
		}
	}

	idx_t BatchIndex() const override {
		auto batch = reader->BatchIndex();
		if (batch >= BATCHES_PER_OUTPUT) {
			throw InternalException("An output with more than %llu batches", BATCHES_PER_OUTPUT);
		}
		return entry->number * BATCHES_PER_OUTPUT + batch;
	}

private:
	bool NextOutput() {
		while ((entry = source->Claim(first)) != nullptr) {
			first = entry->number + 1;
			{
				MeasuredRead measured(*source->measures, source->counts, entry->remote);
				rows = source->Join(*entry);
			}
			if (rows) {
				reader = rows->OpenReader();
				return true;
			}
		}
		return false;
	}

	void LeaveOutput() {
		if (reader) {
			source->counts.network_bytes += reader->ReceivedBytes();
		}
		reader.reset();
		rows.reset();
	}

	std::shared_ptr<StageInputSource> source;
	//! Outputs before this one are done for this reader: its batch index must not fall
	idx_t first = 0;
	std::shared_ptr<StageInputSource::Entry> entry;
	std::shared_ptr<ChunkSource> rows;
	std::unique_ptr<ChunkReader> reader;
};

std::unique_ptr<ChunkReader> StageInputSource::OpenReader() {
	return std::make_unique<StageInputReader>(shared_from_this());
}

//===--------------------------------------------------------------------===//
// Counting
//===--------------------------------------------------------------------===//
namespace {

class CountingReader : public ChunkReader {
public:
	CountingReader(std::unique_ptr<ChunkReader> reader_p, std::shared_ptr<std::atomic<uint64_t>> rows_p)
	    : reader(std::move(reader_p)), rows(std::move(rows_p)) {
	}
	void Next(DataChunk &chunk) override {
		reader->Next(chunk);
		*rows += chunk.size();
	}
	idx_t BatchIndex() const override {
		return reader->BatchIndex();
	}

private:
	std::unique_ptr<ChunkReader> reader;
	std::shared_ptr<std::atomic<uint64_t>> rows;
};

} // namespace

CountingSource::CountingSource(std::shared_ptr<ChunkSource> source_p, std::shared_ptr<std::atomic<uint64_t>> rows_p)
    : source(std::move(source_p)), rows(std::move(rows_p)) {
}

const vector<LogicalType> &CountingSource::Types() const {
	return source->Types();
}

idx_t CountingSource::MaxReaders() const {
	return source->MaxReaders();
}

std::unique_ptr<ChunkReader> CountingSource::OpenReader() {
	return std::make_unique<CountingReader>(source->OpenReader(), rows);
}

void CountingSource::Cancel() {
	source->Cancel();
}

} // namespace duckherder
