#include "planner/distributed_planner.hpp"

#include "codec/fragment.hpp"
#include "planner/check_support.hpp"
#include "planner/cut_stages.hpp"
#include "planner/insert_exchanges.hpp"
#include "planner/lake_scans.hpp"
#include "planner/split_scans.hpp"

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

//! 0 for functions that cannot tell: most of those only list something
idx_t RowsOf(ClientContext &context, LogicalGet &get) {
	if (!get.function.cardinality) {
		return 0;
	}
	auto statistics = get.function.cardinality(context, get.bind_data.get());
	if (!statistics) {
		return 0;
	}
	// of a table, only the maximum counts the rows that the transaction itself has added
	auto estimate = statistics->has_estimated_cardinality ? statistics->estimated_cardinality : 0;
	return MaxValue(estimate, statistics->has_max_cardinality ? statistics->max_cardinality : 0);
}

//! The plan of a prepared statement was made with another binder than this one, which numbers from 0 again
void ReserveTableIndexes(Binder &binder, LogicalOperator &plan) {
	plan.ResolveOperatorTypes();
	auto largest = LargestTableIndex(plan);
	while (binder.GenerateTableIndex() < largest) {
	}
}

} // namespace

bool ReadsData(ClientContext &context, LogicalOperator &plan) {
	// who fills a table from range() reads nothing that could be distributed
	auto fills_something = OnlyPassesRowsOn(plan);
	bool result = false;
	VisitScans(plan, [&](LogicalGet &get) {
		result = result || WhyNotSplit(context, get).empty() || (!fills_something && MakesRowsFromConstants(get));
	});
	return result;
}

bool PrepareForDistribution(ClientContext &context, LogicalOperator &plan, const PlannerOptions &options,
                            string &reason) {
	reason = WhyNotDistributed(plan, options.seeded);
	if (!reason.empty()) {
		return false;
	}
	idx_t largest = 0;
	bool any_scan = false;
	VisitScans(plan, [&](LogicalGet &get) {
		if (WhyNotSplit(context, get).empty()) {
			any_scan = true;
			largest = MaxValue(largest, RowsOf(context, get));
		}
	});
	if (!any_scan) {
		reason = "no scan that workers could share";
		return false;
	}
	if (largest < options.min_rows) {
		reason = "the largest scan has " + to_string(largest) + " rows, fewer than duckherder_min_rows (" +
		         to_string(options.min_rows) + ")";
		return false;
	}
	VisitScans(plan, [](LogicalGet &get) {
		get.function.late_materialization = false;
		get.function.get_partition_stats = nullptr;
		get.function.set_scan_order = nullptr;
	});
	return true;
}

DistributedPlan PlanDistributed(ClientContext &context, Binder &binder, unique_ptr<LogicalOperator> &plan,
                                const PlannerOptions &options) {
	DistributedPlan result;
	result.options = options;
	auto reads_data = ReadsData(context, *plan);
	ReserveTableIndexes(binder, *plan);
	ReadLakeFiles(context, binder, plan, result);
	InsertExchanges(context, binder, plan, result);
	CutStages(plan, result);
	if (!result.Distributed() && result.reason.empty()) {
		result.reason =
		    reads_data ? "nothing in the plan can be distributed" : "the optimizer left no scan in the plan";
	}
	return result;
}

} // namespace duckherder
