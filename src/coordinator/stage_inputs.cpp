#include "coordinator/stage_inputs.hpp"

#include "common/limits.hpp"

#include <algorithm>

namespace duckherder {

void StageInputLocations::KeepRows(TaskKey task, Attempt attempt, std::vector<std::string> partitions) {
	uint64_t bytes = 0;
	for (auto &rows : partitions) {
		bytes += rows.size();
	}
	if (partitions.empty() || kept_bytes + bytes > limits::INLINE_QUERY_BYTES_MAX) {
		return;
	}
	kept_bytes += bytes;
	kept[task] = {attempt, std::make_shared<const std::vector<std::string>>(std::move(partitions)), bytes};
}

const StageInputLocations::KeptRows *StageInputLocations::Find(TaskKey task, Attempt attempt) const {
	auto entry = kept.find(task);
	return entry != kept.end() && entry->second.attempt == attempt ? &entry->second : nullptr;
}

StageInputLocations::Rows StageInputLocations::FindRows(TaskKey task, Attempt attempt) const {
	auto found = Find(task, attempt);
	return found ? found->partitions : nullptr;
}

const StageInputLocations::Shared &StageInputLocations::Of(StageId stage, const StageExecutions &stages,
                                                           const QueryScheduler &scheduler,
                                                           const AddressOf &address_of) {
	auto &result = shared[stage];
	std::vector<uint64_t> versions;
	for (auto input : stages.Get(stage).inputs) {
		versions.push_back(scheduler.StageOutputsVersion(input));
	}
	if (result.inputs && result.output_versions == versions) {
		return result;
	}
	result.output_versions = std::move(versions);
	result.number++;
	uint64_t bytes = 0;
	auto for_each_node = limits::INLINE_STAGE_BYTES_MAX / stages.Workers();
	auto bytes_max = std::min(limits::INLINE_INPUT_BYTES_MAX, for_each_node);
	result.inputs = std::make_shared<const StageInputs>(stages.InputsOf(stage, [&](StageId input) {
		std::vector<OutputLocation> locations;
		for (auto &output : scheduler.StageOutputs(input)) {
			OutputLocation location {output.task, output.attempt, address_of(output.worker), nullptr};
			auto found = Find({input, output.task}, output.attempt);
			if (found && bytes + found->bytes <= bytes_max) {
				bytes += found->bytes;
				location.rows = found->partitions;
			}
			locations.push_back(std::move(location));
		}
		return locations;
	}));
	return result;
}

} // namespace duckherder
