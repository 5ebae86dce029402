#include "transport/flight/read_ahead.hpp"

#include "wire/chunk_codec.hpp"
#include "common/limits.hpp"

#include <arrow/record_batch.h>

#include <algorithm>
#include <future>
#include <utility>

namespace duckherder {

//! Outlives the ReadAhead if that is destroyed by its own thread
struct ReadAhead::State {
	explicit State(std::function<Batch()> read_p) : read(std::move(read_p)) {
	}

	void Run() {
		std::exception_ptr thrown;
		try {
			while (auto batch = read()) {
				if (!Add(batch)) {
					return;
				}
			}
		} catch (...) { // NOLINT: for whoever asks next
			thrown = std::current_exception();
		}
		std::unique_lock<std::mutex> guard(lock);
		error = thrown;
		done = true;
		Tell(guard);
	}

	//! False: nobody wants any more
	bool Add(const Batch &batch) {
		auto bytes_per_row = BytesOf(*batch) / std::max<int64_t>(batch->num_rows(), 1);
		std::unique_lock<std::mutex> guard(lock);
		// A reader that waits may need the end of another one's part before it gets its own: then there is no limit.
		changed.wait(guard, [&] { return stopping || batches < limits::READ_AHEAD_BATCHES || !waiting.empty(); });
		if (stopping) {
			return false;
		}
		for (int64_t row = 0; row < batch->num_rows();) {
			if (!last || last->complete) {
				last = std::make_shared<Part>(Part {next_number++, 0, 0, {}, false});
				free.push_back(last);
			}
			auto count = std::min<int64_t>(batch->num_rows() - row, limits::RESULT_PART_ROWS - last->rows);
			last->batches.push_back(batch->Slice(row, count));
			last->rows += count;
			last->bytes += bytes_per_row * count;
			last->complete = last->rows == limits::RESULT_PART_ROWS || last->bytes >= limits::RESULT_PART_BYTES;
			row += count;
			batches++;
		}
		Tell(guard);
		return true;
	}

	//! Those who wait. The lock is free afterwards: whoever is called may end everything.
	void Tell(std::unique_lock<std::mutex> &guard) {
		auto calls = std::exchange(waiting, {});
		guard.unlock();
		for (auto &call : calls) {
			call();
		}
	}

	void Stop() {
		std::lock_guard<std::mutex> guard(lock);
		stopping = true;
		waiting.clear();
		changed.notify_all();
	}

	const std::function<Batch()> read;
	std::mutex lock;
	std::condition_variable changed;
	//! That no reader has, in their order
	std::deque<std::shared_ptr<Part>> free;
	//! That batches are added to
	std::shared_ptr<Part> last;
	uint64_t next_number = 0;
	//! Of all parts, that were not taken
	uint64_t batches = 0;
	std::vector<std::function<void()>> waiting;
	std::exception_ptr error;
	bool done = false;
	bool stopping = false;
};

ReadAhead::ReadAhead(std::function<Batch()> read) : state(std::make_shared<State>(std::move(read))) {
}

ReadAhead::~ReadAhead() {
	state->Stop();
	if (!thread.joinable()) {
		return;
	}
	if (thread.get_id() == std::this_thread::get_id()) {
		// on_news destroys us
		thread.detach();
	} else {
		thread.join();
	}
}

bool ReadAhead::TryTake(std::shared_ptr<Part> &part, Batch &batch, std::function<void()> on_news) {
	std::lock_guard<std::mutex> guard(state->lock);
	if (part && part->batches.empty() && part->complete) {
		part.reset();
	}
	if (!part && !state->free.empty()) {
		part = std::move(state->free.front());
		state->free.pop_front();
	}
	if (part && !part->batches.empty()) {
		batch = std::move(part->batches.front());
		part->batches.pop_front();
		state->batches--;
		state->changed.notify_all();
		return true;
	}
	if (state->done) {
		if (state->error) {
			std::rethrow_exception(state->error);
		}
		batch.reset();
		return true;
	}
	if (!thread.joinable()) {
		thread = std::thread([state = state] { state->Run(); });
	}
	state->waiting.push_back(std::move(on_news));
	state->changed.notify_all();
	return false;
}

ReadAhead::Batch ReadAhead::Take(std::shared_ptr<Part> &part) {
	Batch batch;
	while (true) {
		auto news = std::make_shared<std::promise<void>>();
		if (TryTake(part, batch, [news] { news->set_value(); })) {
			return batch;
		}
		news->get_future().wait();
	}
}

} // namespace duckherder
