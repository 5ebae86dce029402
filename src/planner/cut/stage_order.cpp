#include "planner/cut/stage_order.hpp"

#include "common/contains.hpp"

namespace duckherder {

using namespace duckdb;

bool WaitsFor(const vector<StagePlan> &stages, StageId stage, StageId other) {
	if (stage == other) {
		return true;
	}
	for (auto *before : {&stages[stage].inputs, &stages[stage].after}) {
		if (std::any_of(before->begin(), before->end(), [&](StageId next) { return WaitsFor(stages, next, other); })) {
			return true;
		}
	}
	return false;
}

void WaitFor(StagePlan &stage, StageId other) {
	if (!Contains(stage.after, other)) {
		stage.after.push_back(other);
	}
}

} // namespace duckherder
