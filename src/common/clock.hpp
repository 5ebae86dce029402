#pragma once

#include <chrono>
#include <cstdint>

namespace duckherder {

//! Milliseconds of a monotonic clock; only differences mean anything.
using TimeMs = uint64_t;

//! Injected wherever time decides something, so that tests own it. Implementations are thread-safe.
class Clock {
public:
	virtual ~Clock() = default;
	virtual uint64_t NowUs() const = 0;
	TimeMs NowMs() const {
		return NowUs() / 1000;
	}
};

class SteadyClock final : public Clock {
public:
	uint64_t NowUs() const override {
		auto now = std::chrono::steady_clock::now().time_since_epoch();
		return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
	}
};

} // namespace duckherder
