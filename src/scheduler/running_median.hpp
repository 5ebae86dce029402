#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

namespace duckherder {

//! Keeps the median of numbers that come one by one, in O(log n) each.
class RunningMedian {
public:
	void Add(uint64_t value) {
		if (low.empty() || value <= low.top()) {
			low.push(value);
		} else {
			high.push(value);
		}
		if (low.size() > high.size() + 1) {
			high.push(low.top());
			low.pop();
		} else if (high.size() > low.size()) {
			low.push(high.top());
			high.pop();
		}
	}
	//! Returns the lower of the two middle ones if their count is even, and 0 if there are no numbers.
	uint64_t Get() const {
		return low.empty() ? 0 : low.top();
	}

private:
	//! These are the lower half, which has the middle one of an odd number too, and the upper half.
	std::priority_queue<uint64_t> low;
	std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<uint64_t>> high;
};

} // namespace duckherder
