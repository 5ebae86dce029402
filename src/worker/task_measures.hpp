#pragma once

#include "protocol/messages.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <vector>

namespace duckherder {

//! What one attempt of a task measures about itself, for people. Thread-safe. Its time begins with itself.
class TaskMeasures {
public:
	//! What was read of one input, see InputRead. The threads that read it count.
	struct Input {
		explicit Input(StageId stage_p) : stage(stage_p) {
		}
		const StageId stage;
		std::atomic<uint64_t> inline_bytes {0};
		std::atomic<uint64_t> local_bytes {0};
		std::atomic<uint64_t> network_bytes {0};
		std::atomic<uint64_t> first_us {std::numeric_limits<uint64_t>::max()};
		std::atomic<uint64_t> last_us {0};
		std::atomic<uint64_t> wait_us {0};
	};

	uint64_t NowUs() const {
		auto time = std::chrono::steady_clock::now() - start;
		return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
	}
	//! A plan may read an input several times, which adds up. The reference lives as long as this.
	Input &Of(StageId stage);
	//! Those of which something was read
	std::vector<InputRead> Reads() const;

	//! See TaskResult::prepared_us
	std::atomic<uint64_t> prepared_us {0};

private:
	const std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
	mutable std::mutex lock;
	//! Its entries stay where they are
	std::deque<Input> inputs;
};

//! Notes that something of the input is read while it lives, and how long that takes if it `waits` for another worker.
class MeasuredRead {
public:
	MeasuredRead(const TaskMeasures &measures, TaskMeasures::Input &input, bool waits);
	~MeasuredRead();

private:
	const TaskMeasures &measures;
	TaskMeasures::Input &input;
	const bool waits;
	const uint64_t start_us;
};

} // namespace duckherder
