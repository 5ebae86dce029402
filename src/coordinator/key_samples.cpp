#include "coordinator/key_samples.hpp"

namespace duckherder {

void KeySamples::Add(TaskKey task, KeySample sample) {
	std::lock_guard<std::mutex> guard(lock);
	samples[task.stage].insert_or_assign(task.task, std::move(sample));
}

std::vector<std::string> KeySamples::Bounds(StageId stage, uint32_t partitions) {
	std::vector<KeySample> of_stage;
	{
		std::lock_guard<std::mutex> guard(lock);
		for (auto &task : samples[stage]) {
			of_stage.push_back(task.second);
		}
	}
	return ChooseBounds(of_stage, partitions);
}

} // namespace duckherder
