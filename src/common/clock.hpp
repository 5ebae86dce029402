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
	virtual TimeMs NowMs() const = 0;
};

class SteadyClock final : public Clock {
public:
	TimeMs NowMs() const override {
		auto now = std::chrono::steady_clock::now().time_since_epoch();
		return static_cast<TimeMs>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
	}
};

} // namespace duckherder
