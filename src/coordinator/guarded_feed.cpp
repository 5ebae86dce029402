#include "coordinator/guarded_feed.hpp"

#include "duckdb/common/exception.hpp"

namespace duckherder {

using duckdb::ErrorData;

class GuardedFeed::Reader : public ChunkReader {
public:
	explicit Reader(GuardedFeed &parent_p) : parent(parent_p), reader(parent.source->OpenReader()) {
	}

	void Next(duckdb::DataChunk &chunk) override {
		try {
			reader->Next(chunk);
		} catch (std::exception &failure) {
			parent.Fail(failure);
		}
	}

	duckdb::idx_t BatchIndex() const override {
		return reader->BatchIndex();
	}

private:
	GuardedFeed &parent;
	std::unique_ptr<ChunkReader> reader;
};

GuardedFeed::GuardedFeed(std::shared_ptr<ChunkSource> source_p) : source(std::move(source_p)) {
}

void GuardedFeed::Fail(const std::exception &failure) {
	ErrorData data(failure);
	if (data.Type() == duckdb::ExceptionType::INTERRUPT) {
		data.Throw();
	}
	std::lock_guard<std::mutex> guard(lock);
	if (!error) {
		error = data;
	}
	throw duckdb::IOException("The session cannot read the rows that it feeds: %s", data.RawMessage());
}

std::optional<ErrorData> GuardedFeed::Error() {
	std::lock_guard<std::mutex> guard(lock);
	return error;
}

const duckdb::vector<duckdb::LogicalType> &GuardedFeed::Types() const {
	return source->Types();
}

duckdb::idx_t GuardedFeed::MaxReaders() const {
	return source->MaxReaders();
}

duckdb::idx_t GuardedFeed::SendingThreads() const {
	return source->SendingThreads();
}

std::unique_ptr<ChunkReader> GuardedFeed::OpenReader() {
	try {
		return std::make_unique<Reader>(*this);
	} catch (std::exception &failure) {
		Fail(failure);
	}
}

void GuardedFeed::Cancel() {
	source->Cancel();
}

} // namespace duckherder
