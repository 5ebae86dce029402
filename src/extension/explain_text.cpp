#include "extension/explain_text.hpp"

#include "common/text.hpp"
#include "extension/explain_verdict.hpp"

#include "duckdb.hpp"

#include <set>

namespace duckherder {

using duckdb::StringUtil;

namespace {

//! How many characters the bar of a stage's share has
constexpr uint64_t BAR_WIDTH = 10;

//! With a comma between thousands
std::string Number(uint64_t number) {
	auto digits = std::to_string(number);
	std::string text;
	for (size_t i = 0; i < digits.size(); i++) {
		text += i > 0 && (digits.size() - i) % 3 == 0 ? "," : "";
		text += digits[i];
	}
	return text;
}

std::string Rows(uint64_t rows) {
	return Number(rows) + (rows == 1 ? " row" : " rows");
}

std::string Bytes(uint64_t bytes) {
	return StringUtil::BytesToHumanReadableString(bytes);
}

std::string List(const std::vector<std::string> &parts) {
	std::string text;
	for (auto &part : parts) {
		text += (text.empty() ? "" : ", ") + part;
	}
	return text;
}

std::string Stages(const std::vector<StageId> &stages) {
	std::string text = stages.size() == 1 ? "stage " : "stages ";
	for (size_t i = 0; i < stages.size(); i++) {
		text += (i == 0 ? "" : ", ") + std::to_string(stages[i]);
	}
	return text;
}

std::string Bar(uint64_t part, uint64_t whole) {
	auto blocks = whole == 0 ? 0 : (part * BAR_WIDTH + whole / 2) / whole;
	std::string text;
	for (uint64_t i = 0; i < BAR_WIDTH; i++) {
		text += i < blocks ? "█" : "░";
	}
	return text + StringUtil::Format(" %3d %%", static_cast<int>(whole == 0 ? 0 : (part * 100 + whole / 2) / whole));
}

std::string OutputText(const StageFacts &stage) {
	auto &output = stage.output;
	if (output.kind == "RESULT") {
		return "to the session";
	}
	auto text = "to " + StringUtil::Replace(StringUtil::Lower(output.kind), "_", " ");
	if (!output.keys.empty()) {
		text += (output.kind == "ROUND_ROBIN" ? ", sampled by (" : " by (") + List(output.keys) + ")";
	}
	if (output.partitions > 0) {
		text += ", " + Counted(output.partitions, "partition");
	}
	if (output.adaptive_reader) {
		text += ", or part of stage " + std::to_string(*output.adaptive_reader) + " if stage " +
		        std::to_string(*output.adaptive_build) + " is small";
	}
	return text;
}

//! Who reads the rows of the scan, and how it is cut
std::string SplitText(const TaskFacts &tasks) {
	std::string text;
	if (tasks.planned) {
		text = Counted(*tasks.planned, "task");
	} else if (!tasks.has_scan && tasks.partitions > 1) {
		text = Counted(tasks.partitions, "partition") + ", tasks by their sizes";
	}
	if (tasks.has_scan) {
		text += (text.empty() ? "" : ", ") + std::string(tasks.fed ? "rows fed by the session" : "read by the workers");
	}
	if (!tasks.split.empty()) {
		text += ", " + tasks.split + " split";
	}
	if (tasks.table_rows > 0) {
		text += ", " + Rows(tasks.table_rows);
	}
	return text;
}

std::string RanText(const StageRunFacts &run) {
	auto text = Counted(run.tasks, "task") + " on " + Counted(run.workers.size(), "worker");
	text += ", median " + MillisecondsText(run.median_us) + ", slowest " + MillisecondsText(run.slowest_us) +
	        " (task " + std::to_string(run.slowest_task) + " on " + run.slowest_worker + ")";
	if (run.retries > 0) {
		text += ", retries: " + std::to_string(run.retries);
	}
	return text;
}

std::string RowsText(const StageFacts &stage) {
	if (!stage.run) {
		return stage.estimated_rows ? "~" + Rows(*stage.estimated_rows) + " out" : std::string();
	}
	auto &run = *stage.run;
	std::string text;
	if (run.read_rows) {
		text = Number(*run.read_rows) + " read" + (run.table_rows > 0 ? " of " + Number(run.table_rows) : "") + ", ";
	}
	text += Number(run.output_rows) + " out" +
	        (stage.estimated_rows ? " (~" + Number(*stage.estimated_rows) + " estimated), " : ", ") + Bytes(run.bytes);
	if (run.dynamic_filters > 0) {
		text += ", dynamic filters: " + std::to_string(run.dynamic_filters) + " left out " + Rows(run.pruned_rows);
	}
	if (run.spilled_bytes > 0) {
		text += ", spilled: " + Bytes(run.spilled_bytes);
	}
	return text;
}

class Renderer {
public:
	explicit Renderer(const QueryFacts &facts_p) : facts(facts_p) {
	}

	std::string Render() {
		Head();
		if (facts.mode == "LOCAL") {
			return text;
		}
		Line("", "session");
		Operators(facts.session, "  ");
		std::vector<StageId> roots;
		for (auto &stage : facts.stages) {
			if (stage.output.kind == "RESULT") {
				roots.push_back(stage.id);
			}
		}
		Children(roots, "");
		Foot();
		return text;
	}

private:
	void Line(const std::string &indent, const std::string &line) {
		text += indent + line + "\n";
	}

	void Labelled(const std::string &indent, const std::string &label, const std::string &line) {
		if (!line.empty()) {
			Line(indent, label + line);
		}
	}

	void Head() {
		Line("", facts.mode + (facts.reason.empty() ? "" : ": " + facts.reason));
		if (facts.run) {
			Line("", "Time: " + MillisecondsText(facts.run->wall_us) + "; tasks were busy for " +
			             MillisecondsText(facts.run->busy_us) + ", and none ran for " +
			             MillisecondsText(facts.run->session_us));
		}
		for (auto &sentence : VerdictOf(facts)) {
			Line("", "▶ " + sentence);
		}
	}

	void Foot() {
		if (!facts.estimate.empty()) {
			Line("", "estimate: " + facts.estimate);
		}
		if (!facts.run || facts.passes.empty()) {
			return;
		}
		uint64_t all_us = 0;
		auto longest = facts.passes.front();
		for (auto &pass : facts.passes) {
			all_us += pass.duration_us;
			longest = pass.duration_us > longest.duration_us ? pass : longest;
		}
		Line("", "planner: " + std::to_string(facts.passes.size()) + " passes" + " took " + MillisecondsText(all_us) +
		             ", " + longest.name + " the longest");
	}

	void Operators(const std::vector<OperatorFacts> &operators, const std::string &indent) {
		for (auto &op : operators) {
			auto line = std::string(2UL * op.depth, ' ') + op.name;
			if (op.reads) {
				line += " of stage " + std::to_string(*op.reads);
			}
			line += op.details.empty() ? "" : "  " + op.details;
			line += op.in_place_by.empty() ? "" : "  in place by " + List(op.in_place_by);
			line += op.estimated_rows ? "  (~" + Rows(*op.estimated_rows) + ")" : "";
			Line(indent, line);
		}
	}

	void Children(const std::vector<StageId> &stages, const std::string &indent) {
		for (size_t i = 0; i < stages.size(); i++) {
			auto last = i + 1 == stages.size();
			auto branch = last ? "└─ " : "├─ ";
			if (!shown.insert(stages[i]).second) {
				Line(indent + branch, "stage " + std::to_string(stages[i]) + ": see above");
				continue;
			}
			auto &stage = facts.stages[stages[i]];
			Line(indent + branch, "stage " + std::to_string(stage.id) + ": " + OutputText(stage));
			auto below = indent + (last ? "   " : "│  ");
			auto children = ChildrenOf(stage);
			Stage(stage, below + (children.empty() ? "   " : "│  "));
			Children(children, below);
		}
	}

	//! Those that it reads, and those that it only waits for, unless they stand elsewhere
	std::vector<StageId> ChildrenOf(const StageFacts &stage) {
		auto result = stage.inputs;
		for (auto other : stage.after) {
			auto read = std::any_of(facts.stages.begin(), facts.stages.end(), [&](auto &reader) {
				return std::find(reader.inputs.begin(), reader.inputs.end(), other) != reader.inputs.end();
			});
			if (!read) {
				result.push_back(other);
			}
		}
		return result;
	}

	void Stage(const StageFacts &stage, const std::string &indent) {
		auto split = SplitText(stage.tasks);
		if (stage.run) {
			Line(indent, "time   " + Bar(stage.run->busy_us, facts.run->busy_us) + "  busy " +
			                 MillisecondsText(stage.run->busy_us) + ", wall " + MillisecondsText(stage.run->wall_us));
			split = RanText(*stage.run) + (split.empty() || !stage.tasks.has_scan ? "" : ", " + split);
		}
		if (!stage.decision.empty()) {
			Line(indent, "became " + stage.decision);
		}
		if (!facts.run || stage.run) {
			Line(indent, "tasks  " + split);
			Labelled(indent, "rows   ", RowsText(stage));
		} else if (stage.decision.empty()) {
			Line(indent, "no task has run");
		}
		if (!stage.filters_from.empty()) {
			Line(indent, "filtered by keys of " + Stages(stage.filters_from));
		}
		if (stage.skipped_without) {
			Line(indent, "skipped if " + Stages({*stage.skipped_without}) + " puts out no rows");
		}
		Operators(stage.operators, indent + "  ");
	}

	const QueryFacts &facts;
	std::string text;
	std::set<StageId> shown;
};

} // namespace

std::string TextOf(const QueryFacts &facts) {
	return Renderer(facts).Render();
}

} // namespace duckherder
