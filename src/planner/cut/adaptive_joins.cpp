#include "planner/cut/adaptive_joins.hpp"

#include "common/contains.hpp"
#include "planner/cut/stage_order.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

optional_ptr<StagePlan> ConsumerOf(vector<StagePlan> &stages, StageId producer) {
	for (auto &stage : stages) {
		if (Contains(stage.inputs, producer)) {
			return stage;
		}
	}
	return nullptr;
}

//! Nothing in the reader needs the rows to be partitioned other than the join itself
bool CanJoinEitherWay(const vector<StagePlan> &stages, const StagePlan &reader, StageId probe, StageId build) {
	auto partitioned = std::count_if(reader.inputs.begin(), reader.inputs.end(),
	                                 [&](StageId input) { return IsPartitioned(stages[input].output.kind); });
	return !reader.scan && partitioned == 2 && Contains(reader.inputs, build) &&
	       Contains(reader.sliceable_inputs, probe);
}

} // namespace

void LeaveJoinsOpen(const std::map<StageId, AdaptiveCandidate> &candidates, vector<StagePlan> &stages) {
	for (auto &entry : candidates) {
		auto &stage = stages[entry.first];
		auto &candidate = entry.second;
		auto build = candidate.build;
		stage.few_tasks = stage.few_tasks || candidate.expects_broadcast;
		auto reader = ConsumerOf(stages, stage.id);
		if (!reader || !CanJoinEitherWay(stages, *reader, stage.id, build) || !stage.output.collected_keys.empty() ||
		    WaitsFor(stages, build, stage.id)) {
			continue;
		}
		stage.adaptive_join = AdaptiveJoin {build, reader->id, candidate.probe_bytes};
		WaitFor(stage, build);
	}
}

} // namespace duckherder
