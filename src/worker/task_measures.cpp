#include "worker/task_measures.hpp"

namespace duckherder {

TaskMeasures::Input &TaskMeasures::Of(StageId stage) {
	std::lock_guard<std::mutex> guard(lock);
	for (auto &input : inputs) {
		if (input.stage == stage) {
			return input;
		}
	}
	return inputs.emplace_back(stage);
}

std::vector<InputRead> TaskMeasures::Reads() const {
	std::lock_guard<std::mutex> guard(lock);
	std::vector<InputRead> result;
	for (auto &input : inputs) {
		if (input.first_us > input.last_us) {
			continue;
		}
		result.push_back({input.stage, input.inline_bytes, input.local_bytes, input.network_bytes, input.first_us,
		                  input.last_us, input.wait_us});
	}
	return result;
}

MeasuredRead::MeasuredRead(const TaskMeasures &measures_p, TaskMeasures::Input &input_p, bool waits_p)
    : measures(measures_p), input(input_p), waits(waits_p), start_us(measures.NowUs()) {
	auto first = input.first_us.load();
	while (start_us < first && !input.first_us.compare_exchange_weak(first, start_us)) {
	}
}

MeasuredRead::~MeasuredRead() {
	auto end_us = measures.NowUs();
	auto last = input.last_us.load();
	while (end_us > last && !input.last_us.compare_exchange_weak(last, end_us)) {
	}
	if (waits) {
		input.wait_us += end_us - start_us;
	}
}

} // namespace duckherder
