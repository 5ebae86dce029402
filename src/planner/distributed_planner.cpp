#include "planner/distributed_planner.hpp"

#include "compat/functions.hpp"
#include "compat/names.hpp"
#include "engine/fragment.hpp"
#include "planner/cut/adaptive_joins.hpp"
#include "planner/cut/cut_stages.hpp"
#include "planner/cut/describe_stage.hpp"
#include "planner/cut/feed_steps.hpp"
#include "planner/cut/key_filters.hpp"
#include "planner/cut/skippable_stages.hpp"
#include "planner/place/check_support.hpp"
#include "planner/place/clustered_scans.hpp"
#include "planner/place/decide_early.hpp"
#include "planner/place/index_scans.hpp"
#include "planner/place/insert_exchanges.hpp"
#include "planner/place/plan_work.hpp"
#include "planner/place/worth_distributing.hpp"
#include "planner/rewrite/inline_constants.hpp"
#include "planner/rewrite/lake_scans.hpp"
#include "planner/split/split_scans.hpp"

#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

void VisitScans(LogicalOperator &op, const std::function<void(LogicalGet &)> &visit) {
	if (op.type == LogicalOperatorType::LOGICAL_GET) {
		visit(op.Cast<LogicalGet>());
	}
	for (auto &child : op.children) {
		VisitScans(*child, visit);
	}
}

//! What the plan of a query would be read from: the largest scan that workers could share
struct LargestScan {
	bool any = false;
	idx_t rows = 0;
	//! A scan that does not say how many rows it has
	string silent;

	void Add(ClientContext &context, LogicalGet &get) {
		any = true;
		auto of_scan = StoredRows(context, get);
		rows = MaxValue(rows, of_scan);
		if (of_scan == 0 && !IsTableScan(get)) {
			silent = FunctionName(get.function);
		}
	}
};

string WhyTooSmall(const LargestScan &largest, const PlannerOptions &options) {
	if (largest.rows >= options.min_rows) {
		return string();
	}
	auto limit = "duckherder_min_rows (" + to_string(options.min_rows) + ")";
	if (largest.rows == 0 && !largest.silent.empty()) {
		return StringUtil::Upper(largest.silent) + " does not say how many rows it has, and no other scan reaches " +
		       limit + "; duckherder_mode 'always' distributes it";
	}
	return "the largest scan has " + to_string(largest.rows) + " rows, fewer than " + limit;
}

//! A look-up in an index takes less time than the first message to a worker. Only known when filters are at their
//! scans.
string WhyIndexSuffices(ClientContext &context, LogicalOperator &plan, const PlannerOptions &options) {
	string table;
	LargestScan others;
	VisitScans(plan, [&](LogicalGet &get) {
		if (options.min_rows == 0 || !WhyNotSplit(context, get).empty()) {
			return;
		}
		if (AnsweredByIndex(context, get)) {
			table = NameText(get.GetTable()->name);
		} else {
			others.Add(context, get);
		}
	});
	return table.empty() || others.rows >= options.min_rows
	           ? string()
	           : "an index of " + table + " finds the rows, and no other scan reaches duckherder_min_rows (" +
	                 to_string(options.min_rows) + ")";
}

//! The plan of a prepared statement was made with another binder than this one, which numbers from 0 again
void ReserveTableIndexes(Binder &binder, LogicalOperator &plan) {
	plan.ResolveOperatorTypes();
	auto largest = LargestTableIndex(plan);
	while (IndexOf(binder.GenerateTableIndex()) < largest) {
	}
}

//! What the passes of one planning hand to each other
struct Planning {
	ClientContext &context;
	Binder &binder;
	unique_ptr<LogicalOperator> &plan;
	DistributedPlan &result;
	unordered_set<const LogicalOperator *> fixed_joins;
	ClusteredScans clustered;
	PlanPlacement placement;
	InPlaceScans in_place;
	ShuffledJoins joins;
	vector<KeyFilterCandidate> key_filters;
	//! The rest of the passes is left out
	bool stays_in_session = false;
};

void Place(Planning &planning) {
	auto &result = planning.result;
	planning.plan->ResolveOperatorTypes();
	planning.placement =
	    PlaceOperators(planning.context, *planning.plan, result.options, planning.fixed_joins, planning.clustered);
	planning.in_place = planning.placement.in_place;
	result.reason = planning.placement.reason;
	result.fully_distributed = result.reason.empty();
	result.merge_strategy = planning.placement.merge_strategy;
}

bool WritesFiles(const PlanPlacement &placement) {
	return std::any_of(placement.operators.begin(), placement.operators.end(), [](auto &entry) {
		auto step = entry.second.step;
		return step == PlacementStep::WRITE_COPY || step == PlacementStep::WRITE_LAKE;
	});
}

bool UsesWorkers(const PlanPlacement &placement) {
	return placement.root_exchange || std::any_of(placement.operators.begin(), placement.operators.end(),
	                                              [](auto &entry) { return !entry.second.exchanges.empty(); });
}

//! Says whether the plan stays in the session.
bool NoteVerdict(const Verdict &verdict, DistributedPlan &result) {
	result.estimate = verdict.reason;
	if (!verdict.distribute) {
		result.reason = verdict.reason;
		result.fully_distributed = false;
	}
	return !verdict.distribute;
}

//! Files that workers write spare the session more than time, and a plan that cannot be distributed has its reason.
void DecideByCost(Planning &planning) {
	auto &result = planning.result;
	if (!result.options.machines || result.options.is_decided || WritesFiles(planning.placement) ||
	    !UsesWorkers(planning.placement)) {
		return;
	}
	auto work = WorkOf(planning.context, *planning.plan, planning.placement, result.options);
	planning.stays_in_session = NoteVerdict(Judge(work, *result.options.machines), result);
}

//! Decides by cost before the passes what need not be placed, as it is cheap, or must not be: scans of a lake become
//! other scans before they are placed, and a query that stays in the session should run as it came.
bool StaysBeforePasses(ClientContext &context, LogicalOperator &plan, DistributedPlan &result) {
	auto &machines = result.options.machines;
	if (!machines || result.options.is_decided || MayWriteFiles(context, plan, result.options)) {
		return false;
	}
	auto work = RoughWorkOf(context, plan, result.options);
	auto is_cheap = SessionTime(work, *machines) < LeastWorkersTime(1, *machines);
	if (!is_cheap && !ReadsLake(plan)) {
		return false;
	}
	result.options.is_decided = true;
	return NoteVerdict(Judge(work, *machines), result);
}

void Describe(DistributedPlan &result) {
	for (auto &stage : result.stages) {
		stage.description = DescribeStage(stage, result);
	}
}

struct PlannerPass {
	const char *name;
	//! Without it the plan is right as well
	bool is_optional;
	void (*run)(Planning &planning);
};

//! In this order; the header of each pass says what it needs and promises.
constexpr PlannerPass PASSES[] = {
    {"inline_constants", false, [](Planning &p) { InlineConstantsIntoAggregates(p.context, *p.plan); }},
    {"read_lake_files", true, [](Planning &p) { p.fixed_joins = ReadLakeFiles(p.context, p.binder, p.plan); }},
    {"find_clustered_scans", true,
     [](Planning &p) { p.clustered = FindClusteredScans(p.context, *p.plan, p.result.options); }},
    {"place_operators", false, Place},
    {"decide_by_cost", true, DecideByCost},
    {"insert_exchanges", false,
     [](Planning &p) {
	     p.joins = InsertExchanges(p.context, p.binder, p.plan, std::move(p.placement), p.result.options);
     }},
    {"find_key_filters", true,
     [](Planning &p) {
	     p.key_filters = p.result.options.dynamic_filters ? FindKeyFilters(*p.plan) : vector<KeyFilterCandidate>();
     }},
    {"cut_stages", false, [](Planning &p) { CutStages(p.plan, p.in_place, p.clustered, p.result.stages); }},
    {"hold_back_failing_keys", false, [](Planning &p) { HoldBackFailingKeys(p.joins.skippable, p.result.stages); }},
    {"connect_key_filters", false, [](Planning &p) { ConnectKeyFilters(p.key_filters, p.result.stages); }},
    {"skip_if_empty", true, [](Planning &p) { SkipIfEmptyInput(p.joins.skippable, p.result.stages); }},
    {"adaptive_joins", true, [](Planning &p) { LeaveJoinsOpen(p.joins.adaptive, p.result.stages); }},
    {"move_steps_into_feeds", true, [](Planning &p) { MoveStepsIntoFeeds(p.result.stages); }},
    {"describe_stages", false, [](Planning &p) { Describe(p.result); }},
};

void RunPasses(Planning &planning) {
	auto &disabled = planning.result.options.disabled_passes;
	for (auto &pass : PASSES) {
		if (std::find(disabled.begin(), disabled.end(), pass.name) != disabled.end()) {
			continue;
		}
		auto start = std::chrono::steady_clock::now();
		pass.run(planning);
		auto time = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start);
		planning.result.pass_times.push_back({pass.name, static_cast<uint64_t>(time.count())});
		if (planning.stays_in_session) {
			return;
		}
	}
}

} // namespace

vector<string> OptionalPasses() {
	vector<string> names;
	for (auto &pass : PASSES) {
		if (pass.is_optional) {
			names.push_back(pass.name);
		}
	}
	return names;
}

bool ReadsData(ClientContext &context, LogicalOperator &plan) {
	// who fills a table from range() reads nothing that could be distributed
	auto fills_something = OnlyPassesRowsOn(plan);
	bool result = false;
	VisitScans(plan, [&](LogicalGet &get) {
		result = result || WhyNotSplit(context, get).empty() || (!fills_something && MakesRowsFromConstants(get));
	});
	return result;
}

string WhyNotCandidate(ClientContext &context, LogicalOperator &plan, const PlannerOptions &options) {
	auto reason = WhyNotDistributed(plan, options.seeded);
	if (!reason.empty()) {
		return reason;
	}
	LargestScan largest;
	VisitScans(plan, [&](LogicalGet &get) {
		if (WhyNotSplit(context, get).empty()) {
			largest.Add(context, get);
		}
	});
	return largest.any ? WhyTooSmall(largest, options) : "no scan that workers could share";
}

void PrepareForDistribution(LogicalOperator &plan, const PlannerOptions &options) {
	VisitScans(plan, [&](LogicalGet &get) {
		get.function.late_materialization = false;
		get.function.set_scan_order = nullptr;
		ComputeNothingInScan(get.function);
		if (!options.machines) {
			get.function.get_partition_stats = nullptr;
		}
	});
}

DistributedPlan PlanDistributed(ClientContext &context, Binder &binder, unique_ptr<LogicalOperator> &plan,
                                const PlannerOptions &options) {
	DistributedPlan result;
	result.options = options;
	result.reason = WhyIndexSuffices(context, *plan, options);
	if (!result.reason.empty()) {
		return result;
	}
	auto reads_data = ReadsData(context, *plan);
	ReserveTableIndexes(binder, *plan);
	if (reads_data && StaysBeforePasses(context, *plan, result)) {
		return result;
	}
	Planning planning {context, binder, plan, result, {}, {}, {}, {}, {}, {}, false};
	RunPasses(planning);
	if (!result.Distributed() && result.reason.empty()) {
		result.reason =
		    reads_data ? "nothing in the plan can be distributed" : "the optimizer left no scan in the plan";
	}
	return result;
}

} // namespace duckherder
