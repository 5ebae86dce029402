#include "sim/scenario.hpp"

#include <algorithm>
#include <sstream>

namespace duckherder::sim {

uint32_t Scenario::TotalTasks() const {
	uint32_t total = 0;
	for (auto &stage : stages) {
		total += stage.task_count;
	}
	return total;
}

std::string Scenario::ToString() const {
	std::ostringstream text;
	text << "seed " << seed << ": retries " << config.task_retries << ", workers " << workers.size() << ", stages";
	for (auto &stage : stages) {
		text << " [" << stage.id << ": " << stage.task_count << " tasks <-";
		for (auto input : stage.inputs) {
			text << " " << input;
		}
		for (auto before : stage.after) {
			text << " after " << before;
		}
		text << (stage.deferred_task_count ? " sized late" : "");
		auto into = merged.find(stage.id);
		text << (into == merged.end() ? "" : " merged into " + std::to_string(into->second));
		text << (stage.output_kind == ExchangeKind::RESULT ? " gather" : "");
		text << (stage.repeatable ? "" : " unrepeatable") << "]";
	}
	text << (config.speculate ? ", speculates" : "") << (must_succeed ? ", must succeed" : "");
	return text.str();
}

//! Whether `stage` waits for `other`, directly or not
static bool WaitsFor(const std::vector<SchedulerStage> &stages, StageId stage, StageId other) {
	if (stage == other) {
		return true;
	}
	for (auto *before : {&stages[stage].inputs, &stages[stage].after}) {
		for (auto next : *before) {
			if (WaitsFor(stages, next, other)) {
				return true;
			}
		}
	}
	return false;
}

static void DrawStages(Scenario &scenario, Random &random) {
	auto count = random.Between(1, 8);
	auto largest = random.Chance(0.5) ? 4 : 14;
	auto unrepeatable = random.Chance(0.2) ? 0.3 : 0.0;
	std::vector<bool> is_read(count, false);
	for (StageId id = 0; id < count; id++) {
		SchedulerStage stage;
		stage.id = id;
		stage.task_count = random.Chance(0.03) ? 0 : static_cast<uint32_t>(random.Between(1, largest));
		stage.repeatable = !random.Chance(unrepeatable);
		for (StageId input = 0; input < id; input++) {
			if (random.Chance(input + 1 == id ? 0.6 : 0.2)) {
				stage.inputs.push_back(input);
				is_read[input] = true;
			}
		}
		stage.deferred_task_count = stage.task_count > 0 && !stage.inputs.empty() && random.Chance(0.4);
		for (TaskId task = 0; stage.inputs.empty() && task < stage.task_count; task++) {
			stage.affinity_keys.push_back(random.Chance(0.2) ? "" : "file" + std::to_string(random.Between(0, 20)));
		}
		scenario.stages.push_back(std::move(stage));
	}
	auto waits = random.Chance(0.5) ? 0.2 : 0.0;
	for (StageId id = 0; id < count; id++) {
		for (StageId before = 0; before < count; before++) {
			if (random.Chance(waits) && !WaitsFor(scenario.stages, before, id)) {
				scenario.stages[id].after.push_back(before);
			}
		}
		auto gather = is_read[id] ? random.Chance(0.05) : !random.Chance(0.03);
		scenario.stages[id].output_kind = gather ? ExchangeKind::RESULT : ExchangeKind::HASH;
	}
}

//! Stages with one reader that is not sized yet, and that nobody waits for
static void DrawMerges(Scenario &scenario, Random &random) {
	auto merges = random.Chance(0.7) ? 0.7 : 0.0;
	auto &stages = scenario.stages;
	for (auto &stage : stages) {
		std::vector<StageId> readers;
		auto awaited = false;
		for (auto &other : stages) {
			auto lists = [&](const std::vector<StageId> &ids) {
				return std::find(ids.begin(), ids.end(), stage.id) != ids.end();
			};
			awaited = awaited || lists(other.after);
			if (lists(other.inputs)) {
				readers.push_back(other.id);
			}
		}
		auto may_merge = stage.deferred_task_count && stage.output_kind != ExchangeKind::RESULT && !awaited &&
		                 readers.size() == 1 && stages[readers[0]].deferred_task_count;
		if (may_merge && random.Chance(merges)) {
			scenario.merged[stage.id] = readers[0];
		}
	}
}

void MergeStage(std::vector<SchedulerStage> &stages, StageId stage, StageId into) {
	auto inputs = stages[stage].inputs;
	for (auto input : stages[into].inputs) {
		if (input != stage) {
			inputs.push_back(input);
		}
	}
	std::sort(inputs.begin(), inputs.end());
	inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
	stages[into].inputs = inputs;
	stages[into].repeatable = stages[into].repeatable && stages[stage].repeatable;
	stages[into].may_speculate = stages[into].may_speculate && stages[stage].may_speculate;
	stages[stage].inputs.clear();
	stages[stage].task_count = 0;
}

static void DrawWorkers(Scenario &scenario, Random &random, bool faults) {
	auto count = random.Between(1, 8);
	for (uint64_t i = 0; i < count; i++) {
		WorkerPlan worker;
		worker.slots = static_cast<uint32_t>(random.Between(1, 4));
		worker.joins_at = faults && random.Chance(0.3) ? random.Between(0, 60000) : 0;
		worker.bad = faults && random.Chance(0.05);
		scenario.workers.push_back(worker);
	}
	if (!faults || random.Chance(0.6)) {
		scenario.workers[0] = WorkerPlan();
		scenario.workers[0].stable = true;
	}
}

static void DrawFaults(Scenario &scenario, Random &random) {
	auto scale = random.Chance(0.5) ? 0.02 : 0.15;
	auto draw = [&](double most) { return random.Chance(0.5) ? most : 0.0; };
	scenario.lose_message = draw(scale);
	scenario.double_message = draw(4 * scale);
	scenario.slow_message = draw(2 * scale);
	scenario.slow_task = draw(scale);
	scenario.fail_place = draw(scale);
	scenario.false_lost_input = draw(scale / 4);
	scenario.break_database = random.Chance(0.2) ? scale / 8 : 0.0;
	scenario.die = draw(5 * scale);
	scenario.come_back = draw(0.7);
	scenario.partition = draw(3 * scale);
	scenario.drain = draw(2 * scale);
	scenario.early_timer = draw(0.3);
	scenario.clock_jumps = random.Chance(0.3) ? 5 : 0;
	scenario.user_error = random.Chance(0.07);
	scenario.cancel_at = random.Chance(0.07) ? random.Between(1, 20000) : 0;
	scenario.enough_at = random.Chance(0.07) ? random.Between(1, 20000) : 0;
	auto &stage = scenario.stages[random.Between(0, scenario.stages.size() - 1)];
	scenario.user_error_task = TaskKey {stage.id, static_cast<TaskId>(random.Between(0, stage.task_count))};
}

Scenario MakeScenario(uint64_t seed) {
	Random random(seed);
	Scenario scenario;
	scenario.seed = seed;
	scenario.config.random_seed = seed;
	static constexpr uint32_t RETRIES[] = {0, 1, 3, 3, 3, 100, 100};
	scenario.config.task_retries = RETRIES[random.Between(0, 6)];
	scenario.config.no_worker_timeout_ms = random.Between(1, 30000);
	auto faults = random.Chance(0.9);
	DrawStages(scenario, random);
	DrawWorkers(scenario, random, faults);
	if (faults) {
		DrawFaults(scenario, random);
	}
	DrawMerges(scenario, random);
	auto repeatable = std::all_of(scenario.stages.begin(), scenario.stages.end(),
	                              [](const SchedulerStage &stage) { return stage.repeatable; });
	auto excused = scenario.user_error || scenario.cancel_at > 0 || scenario.break_database > 0;
	auto patient = scenario.config.task_retries == 100 && scenario.workers[0].stable && repeatable;
	scenario.must_succeed = !excused && (patient || !faults);
	scenario.config.speculate = random.Chance(0.7);
	for (auto &stage : scenario.stages) {
		stage.may_speculate = !random.Chance(0.1);
	}
	return scenario;
}

Scenario MakeBigScenario(uint64_t seed, bool faults) {
	Scenario scenario;
	scenario.seed = seed;
	scenario.thorough = false;
	scenario.must_succeed = true;
	scenario.config.task_retries = 20;
	scenario.config.speculate = true;
	scenario.slow_task = 0.001;
	for (StageId id = 0; id < 3; id++) {
		SchedulerStage stage;
		stage.id = id;
		stage.task_count = id == 0 ? 60000 : id == 1 ? 39000 : 1000;
		stage.output_kind = id == 2 ? ExchangeKind::RESULT : ExchangeKind::HASH;
		if (id > 0) {
			stage.inputs.push_back(id - 1);
		}
		for (TaskId task = 0; id == 0 && task < stage.task_count; task++) {
			stage.affinity_keys.push_back("file" + std::to_string(task));
		}
		scenario.stages.push_back(std::move(stage));
	}
	scenario.workers.resize(1000);
	for (auto &worker : scenario.workers) {
		worker.slots = 4;
	}
	scenario.workers[0].stable = true;
	if (faults) {
		scenario.lose_message = scenario.fail_place = 0.001;
		scenario.double_message = scenario.slow_message = 0.01;
		scenario.die = scenario.partition = scenario.drain = 0.05;
		scenario.come_back = 0.5;
	}
	return scenario;
}

} // namespace duckherder::sim
