#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace arrow {
class RecordBatch;
} // namespace arrow

namespace duckherder {

//! Reads the batches of a result before they are wanted, on a thread of its own, and hands them to several readers.
//! Each reader gets parts: batches that follow one another, with the rows of one row group of DuckDB, so that what
//! stores them in their order need not join what is too small. A part is handed out as soon as its first batch is
//! there, the next one only when it is complete. Thread-safe.
class ReadAhead {
public:
	using Batch = std::shared_ptr<arrow::RecordBatch>;

	struct Part {
		//! Parts are numbered in the order of the result
		uint64_t number;
		uint64_t rows = 0;
		uint64_t bytes = 0;
		//! Those that its reader has not taken
		std::deque<Batch> batches;
		bool complete = false;
	};

	//! `read` returns null at the end, after which it is not called again; it is called by one thread, which is started
	//! when batches are first wanted.
	explicit ReadAhead(std::function<Batch()> read);
	//! Whoever destroys it has seen to it that `read` does not wait any more
	~ReadAhead();
	ReadAhead(const ReadAhead &) = delete;
	ReadAhead &operator=(const ReadAhead &) = delete;

	//! The next batch for the reader that has `part` (none at first, it is changed here), null at the end of all.
	//! False if there is none yet: then our thread calls `on_news` once, as soon as it is worth trying again, perhaps
	//! before this returns. It may destroy this. Throws what `read` threw, after the batches that came before.
	bool TryTake(std::shared_ptr<Part> &part, Batch &batch, std::function<void()> on_news);
	//! As TryTake, and waits
	Batch Take(std::shared_ptr<Part> &part);

private:
	struct State;

	std::shared_ptr<State> state;
	//! Started under the state's lock
	std::thread thread;
};

} // namespace duckherder
