#include "extension/explain_verdict.hpp"

#include "common/text.hpp"

#include <cmath>

namespace duckherder {

namespace {

constexpr size_t SENTENCES_MAX = 3;
//! Times below this are too short for a rule to say anything about them: a machine's other work is as large.
constexpr uint64_t SIGNIFICANT_US = 20'000;
//! Of the time: from this share on, one stage, or the session, is where it went
constexpr double LARGE_SHARE = 0.4;
//! A task that takes more than this times the median is skew.
constexpr double SKEW = 2;
//! A stage takes more than this times what its tasks need if they have to wait.
constexpr double WAITING = 2;
//! An estimate that is further off than this has probably led to a worse plan.
constexpr double WRONG_ESTIMATE = 10;
//! Estimates of fewer rows than this do not matter.
constexpr uint64_t SIGNIFICANT_ROWS = 1000;
//! With workers that are busy for this share of the time, only more of them would help.
constexpr double BUSY_WORKERS = 0.8;

double Share(uint64_t part, uint64_t whole) {
	return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string Percent(double share) {
	return std::to_string(std::lround(share * 100)) + " %";
}

std::string Times(double factor) {
	auto tenths = std::lround(factor * 10);
	return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " times";
}

std::string Name(const StageFacts &stage) {
	return "stage " + std::to_string(stage.id);
}

//! What would help a query that does not run on workers, or not as a whole
std::string AdviceFor(const std::string &reason) {
	struct Advice {
		const char *reason;
		const char *advice;
	};
	static constexpr Advice ADVICE[] = {
	    {"an index of", ""},
	    {"fewer than duckherder_min_rows",
	     "So few rows are faster here; SET duckherder_min_rows = 0 distributes them."},
	    {"does not say how many rows", "SET duckherder_mode = 'always' distributes it."},
	    {"is estimated to take", "SET duckherder_mode = 'always' distributes it all the same."},
	    {"a window without a common PARTITION BY", "With a PARTITION BY the workers would compute the window."},
	    {"DISTINCT ON without ORDER BY", "With an ORDER BY the workers would compute the DISTINCT ON."},
	};
	for (auto &entry : ADVICE) {
		if (reason.find(entry.reason) != std::string::npos) {
			return entry.advice;
		}
	}
	return std::string();
}

class Judge {
public:
	explicit Judge(const QueryFacts &facts_p) : facts(facts_p) {
	}

	std::vector<std::string> Sentences() {
		Add(AdviceFor(facts.reason));
		if (!facts.run) {
			return std::move(sentences);
		}
		Add(WhereTheTimeWent());
		auto slowest = SlowestStage();
		// what is said about the slowest stage comes before the same about others
		EachStage(slowest, [&](const StageFacts &stage) { return Spilled(stage); });
		EachStage(slowest, [&](const StageFacts &stage) { return Skewed(stage); });
		EachStage(slowest, [&](const StageFacts &stage) { return FewTasks(stage); });
		EachStage(slowest, [&](const StageFacts &stage) { return Waited(stage); });
		EachStage(slowest, [&](const StageFacts &stage) { return Fed(stage); });
		EachStage(slowest, [&](const StageFacts &stage) { return Misestimated(stage); });
		Add(AllBusy());
		return std::move(sentences);
	}

private:
	void Add(const std::string &sentence) {
		if (!sentence.empty() && sentences.size() < SENTENCES_MAX) {
			sentences.push_back(sentence);
		}
	}

	const StageFacts *SlowestStage() const {
		const StageFacts *slowest = nullptr;
		for (auto &stage : facts.stages) {
			if (stage.run && (!slowest || stage.run->busy_us > slowest->run->busy_us)) {
				slowest = &stage;
			}
		}
		return slowest;
	}

	//! At most one sentence of each rule
	template <class RULE>
	void EachStage(const StageFacts *first, RULE rule) {
		auto sentence = first ? rule(*first) : std::string();
		for (auto &stage : facts.stages) {
			if (sentence.empty() && stage.run) {
				sentence = rule(stage);
			}
		}
		Add(sentence);
	}

	std::string WhereTheTimeWent() const {
		auto &run = *facts.run;
		auto session = Share(run.session_us, run.wall_us);
		if (session > 0.5 && run.session_us >= SIGNIFICANT_US) {
			return "No task ran for " + MillisecondsText(run.session_us) + " (" + Percent(session) +
			       " of the time): the session planned, fetched and finished the result.";
		}
		auto slowest = SlowestStage();
		if (!slowest || facts.stages.size() < 2) {
			return std::string();
		}
		auto share = Share(slowest->run->busy_us, run.busy_us);
		return share < LARGE_SHARE
		           ? std::string()
		           : "Most time went into " + Name(*slowest) + ": " + MillisecondsText(slowest->run->busy_us) + ", " +
		                 Percent(share) + " of what all tasks took.";
	}

	static std::string Spilled(const StageFacts &stage) {
		if (stage.run->spilled_bytes == 0) {
			return std::string();
		}
		return "Tasks of " + Name(stage) +
		       " wrote to temporary files, as their memory was full: more memory for each "
		       "worker (--memory-limit) or more workers would help.";
	}

	static std::string Skewed(const StageFacts &stage) {
		auto &run = *stage.run;
		auto factor = Share(run.slowest_us, run.median_us);
		if (run.tasks < 3 || run.slowest_us < SIGNIFICANT_US || factor <= SKEW) {
			return std::string();
		}
		auto sentence = "Task " + std::to_string(run.slowest_task) + " of " + Name(stage) + " on " +
		                run.slowest_worker + " took " + Times(factor) + " the median: ";
		return sentence + (stage.tasks.has_scan
		                       ? "more tasks (duckherder_tasks_per_worker) would share its rows."
		                       : "some keys have many more rows than others, or the worker is slower.");
	}

	std::string FewTasks(const StageFacts &stage) const {
		auto &run = *stage.run;
		if (run.tasks >= facts.workers || run.wall_us < SIGNIFICANT_US ||
		    Share(run.busy_us, facts.run->busy_us) < LARGE_SHARE) {
			return std::string();
		}
		auto sentence = Name(stage) + " had " + Counted(run.tasks, "task") + " for " + Counted(facts.workers, "worker");
		sentence[0] = 'S';
		if (stage.tasks.has_scan) {
			return sentence + ": smaller row groups or more files would let more of them work.";
		}
		return sentence + ".";
	}

	//! The rest of its time its tasks had to wait for a worker, which other stages had
	std::string Waited(const StageFacts &stage) const {
		auto &run = *stage.run;
		auto needed = std::max(run.slowest_us, run.busy_us / std::max<uint64_t>(run.workers.size(), 1));
		if (run.wall_us < SIGNIFICANT_US || Share(run.wall_us, needed) <= WAITING) {
			return std::string();
		}
		return "From the first to the last task of " + Name(stage) + " it took " + MillisecondsText(run.wall_us) +
		       ", although its tasks need " + MillisecondsText(needed) +
		       ": they waited for workers or for the session.";
	}

	std::string Fed(const StageFacts &stage) const {
		if (!stage.tasks.fed || stage.run->busy_us < SIGNIFICANT_US ||
		    Share(stage.run->busy_us, facts.run->busy_us) < LARGE_SHARE) {
			return std::string();
		}
		return "The session read and sent the rows of " + Name(stage) +
		       ": workers would read Parquet files themselves.";
	}

	std::string Misestimated(const StageFacts &stage) const {
		if (!stage.estimated_rows) {
			return std::string();
		}
		auto real = std::max<uint64_t>(stage.run->output_rows, 1);
		auto estimated = std::max<uint64_t>(*stage.estimated_rows, 1);
		auto factor = Share(std::max(real, estimated), std::min(real, estimated));
		// each task has its own groups of a partial aggregate, and a sample is as large as it has to be
		auto is_partial = stage.description.rfind("AGGREGATE", 0) == 0 || stage.output.kind == "SAMPLE";
		if (is_partial || facts.run->wall_us < SIGNIFICANT_US || std::max(real, estimated) < SIGNIFICANT_ROWS ||
		    factor <= WRONG_ESTIMATE) {
			return std::string();
		}
		return "S" + Name(stage).substr(1) + " put out " + Counted(stage.run->output_rows, "row") + " where " +
		       std::to_string(*stage.estimated_rows) +
		       " were expected, by which joins were chosen: simpler conditions, or ANALYZE of a table in a "
		       "database, would help.";
	}

	std::string AllBusy() const {
		auto available = facts.run->wall_us * facts.workers;
		auto share = Share(facts.run->busy_us, available);
		if (facts.run->wall_us < SIGNIFICANT_US || share < BUSY_WORKERS) {
			return std::string();
		}
		return "Tasks ran on the workers for " + Percent(std::min(share, 1.0)) +
		       " of the time: more workers, with cores of their own, would help.";
	}

	const QueryFacts &facts;
	std::vector<std::string> sentences;
};

} // namespace

std::vector<std::string> VerdictOf(const QueryFacts &facts) {
	return Judge(facts).Sentences();
}

} // namespace duckherder
