#pragma once

#include "coordinator/feed_scan.hpp"
#include "planner/interface/distributed_plan.hpp"
#include "planner/split/split_scans.hpp"
#include "protocol/messages.hpp"
#include "scheduler/partition_assignment.hpp"
#include "scheduler/query_scheduler.hpp"

#include "duckdb.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <variant>

namespace duckherder {

//! What has become of a planned stage.
struct StageOutcome {
	//! The stage whose scan and scan filters its tasks have: another one if that became part of it
	StageId scan_from = 0;
	//! How many filters its tasks got of other stages
	uint64_t scan_filters = 0;
	//! For people: what real sizes have decided; empty if there was nothing to decide
	std::string decision;
};

//! The stages of one execution of a plan: what each reads, how it is cut into tasks, and what has become of the joins
//! that are decided by real sizes. The plan itself stays as it is: a prepared statement executes it again.
//!
//! Not thread-safe: its owner calls it with a lock held, but for Encode. Lifetime: within one query of `context`;
//! `plan` outlives it.
class StageExecutions {
public:
	StageExecutions(duckdb::ClientContext &context, DistributedPlan &plan);

	//! Splits all scans, and encodes the stages whose fragments are certain. Throws what extracting or encoding throws.
	void Prepare();

	//! For the scheduler, as they are after Prepare
	std::vector<SchedulerStage> ForScheduler() const;

	size_t Count() const {
		return executions.size();
	}
	//! That the plan was made for, at least 1
	uint32_t Workers() const {
		return std::max(plan.options.workers, 1U);
	}
	//! Its tasks, its fragment and its inputs
	const Stage &Get(StageId stage) const {
		return executions[stage].stage;
	}
	//! Its tasks are known only when what it waits for is done
	bool HasDeferredTaskCount(StageId stage) const;
	//! More it will not have
	uint32_t MostTasks(StageId stage) const;
	//! The scan of the stage was cut so
	const PipelineTasks &Split(StageId stage) const {
		return executions[stage].split;
	}
	//! Of the columns that its fragment puts out
	const duckdb::vector<duckdb::LogicalType> &FragmentTypes(StageId stage) const {
		return executions[stage].fragment_types;
	}
	bool HasScan(StageId stage) const {
		return executions[stage].scan != nullptr;
	}
	//! Some worker will: it mostly waits then
	bool ReadsRemoteFiles() const;
	//! What its scan filters by, besides what joins in the same task tell it
	duckdb::vector<PlannedScanFilter> ScanFilters(StageId stage) const;

	//! What a task of a stage has put out, the bytes by partition
	void NoteOutput(StageId stage, TaskId task, uint64_t rows, const std::vector<uint64_t> &partition_bytes);

	//! The bounds of the ranges that its tasks divide their rows into; before they get the stage's exchange
	void SetBounds(StageId stage, std::vector<std::string> bounds);

	//! The stage became part of its reader, which broadcasts the other side of the join
	struct Merged {
		StageId into = 0;
	};
	//! The stage has tasks now
	struct Sized {};
	//! Decides what the scheduler has asked for; all that the stage waits for is done. A stage with tasks is encoded
	//! and gets its fragment next.
	std::variant<Sized, Merged> Resolve(StageId stage);
	//! The fragment of a stage that has tasks. Any thread, without the lock, as it takes long: nothing that it reads
	//! changes once the stage has tasks, and threads that encode wait for each other.
	std::shared_ptr<const std::string> Encode(StageId stage);
	void SetFragment(StageId stage, std::shared_ptr<const std::string> fragment);

	//! What the tasks of a stage read; `outputs` says where the outputs of another one are.
	StageInputs InputsOf(StageId stage, const std::function<std::vector<OutputLocation>(StageId)> &outputs) const;

	//! The scan that the session runs for a stage whose tasks are fed
	FeedScan &Feed(StageId stage) {
		return *executions[stage].feed;
	}
	//! The task is fed with rows that are read only once, and some of them may have been
	bool FeedWasRead(StageId stage, TaskId task) const;
	void CancelFeeds();
	//! Now: feeds point into the session's plan
	void CloseFeeds();

	StageOutcome Outcome(StageId stage) const;

private:
	struct StageExecution {
		Stage stage;
		//! Null if it reads exchanges only
		const StageScan *scan = nullptr;
		PipelineTasks split;
		//! Cuts the scan once more, for fewer tasks; null if there is none
		std::unique_ptr<ScanSplitter> splitter;
		std::unique_ptr<FeedScan> feed;
		uint32_t partitions = 1;
		duckdb::vector<StageId> sliceable_inputs;
		//! Inputs that each task reads whole, although they are partitioned
		duckdb::vector<StageId> broadcast_inputs;
		//! Stages whose work this one does
		duckdb::vector<StageId> merged;
		bool repeatable = true;
		//! Those that are not columns, at the top of the fragment; otherwise they are NULL
		bool computes_keys = true;
		//! Its one task puts out nothing, so that its fragment is none of the plan's
		bool is_empty = false;
		//! As planned: nobody but Encode looks into fragments, which change while it works
		duckdb::vector<duckdb::LogicalType> fragment_types;
		//! bytes[task][partition]
		std::vector<std::vector<uint64_t>> output_bytes;
		//! Some task has put out rows
		bool has_rows = false;
		StageOutcome outcome;

		//! Its tasks read partitions
		bool ReadsPartitions() const {
			return !scan && partitions > 1;
		}
	};

	uint64_t OutputBytes(StageId stage) const;
	//! How many threads of the session read the rows of one task for a worker in another process
	duckdb::idx_t SendingThreads(const StageScan &scan) const;
	void Merge(StageId probe);
	void MakeEmpty(StageExecution &execution);
	void AssignTasks(StageExecution &execution);

	duckdb::ClientContext &context;
	//! Not changed, but Encode moves operators from one fragment into another for as long as it holds `encoding`
	DistributedPlan &plan;
	std::mutex encoding;
	std::vector<StageExecution> executions;
};

} // namespace duckherder
