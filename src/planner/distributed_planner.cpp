#include "planner/distributed_planner.hpp"

#include "engine/fragment.hpp"
#include "planner/place/check_support.hpp"
#include "planner/cut/cut_stages.hpp"
#include "planner/place/index_scans.hpp"
#include "planner/place/insert_exchanges.hpp"
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

//! What the plan of a query would be read from: the largest scan that workers could share
struct LargestScan {
	bool any = false;
	idx_t rows = 0;
	//! A scan that does not say how many rows it has
	string silent;

	void Add(ClientContext &context, LogicalGet &get) {
		any = true;
		auto of_scan = RowsOf(context, get);
		rows = MaxValue(rows, of_scan);
		if (of_scan == 0 && !IsTableScan(get)) {
			silent = get.function.name;
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
			table = get.GetTable()->name;
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
	LargestScan largest;
	VisitScans(plan, [&](LogicalGet &get) {
		if (WhyNotSplit(context, get).empty()) {
			largest.Add(context, get);
		}
	});
	reason = largest.any ? WhyTooSmall(largest, options) : "no scan that workers could share";
	if (!reason.empty()) {
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
	result.reason = WhyIndexSuffices(context, *plan, options);
	if (!result.reason.empty()) {
		return result;
	}
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
