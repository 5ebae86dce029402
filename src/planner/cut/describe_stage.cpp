#include "planner/cut/describe_stage.hpp"

#include "engine/bound_scan.hpp"
#include "engine/exchange_scan.hpp"

#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/common/enum_util.hpp"
#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/planner/operator/logical_any_join.hpp"
#include "duckdb/planner/operator/logical_comparison_join.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

namespace duckherder {

using namespace duckdb;

string DescribeScan(const LogicalGet &get) {
	auto name = get.GetName();
	if (auto table = get.GetTable()) {
		return name + " " + table->name;
	}
	if (!IsParquetScan(get)) {
		return name;
	}
	auto &files = *get.bind_data->Cast<MultiFileBindData>().file_list;
	auto count = files.GetTotalFileCount();
	return count == 1 ? name + " " + StringUtil::GetFileName(files.GetFirstFile().path)
	                  : name + " of " + to_string(count) + " files";
}

namespace {

string DescribeInput(const LogicalExchangeScan &scan, const StagePlan &stage, const DistributedPlan &plan) {
	if (scan.source.is_feed) {
		auto &steps = stage.scan->feed_steps;
		string result;
		for (auto step = steps.rbegin(); step != steps.rend(); step++) {
			result += (*step)->GetName() + " in the session <- ";
		}
		return result + DescribeScan(stage.scan->Get());
	}
	auto kind = plan.stages[scan.source.stage].output.kind;
	return string("EXCHANGE_") + ExchangeKindName(kind) + " of stage " + to_string(scan.source.stage);
}

string DescribeOperator(const LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_GET:
		return DescribeScan(op.Cast<LogicalGet>());
	case LogicalOperatorType::LOGICAL_COMPARISON_JOIN:
	case LogicalOperatorType::LOGICAL_ASOF_JOIN:
		return op.GetName() + " " + EnumUtil::ToString(op.Cast<LogicalComparisonJoin>().join_type);
	case LogicalOperatorType::LOGICAL_ANY_JOIN:
		return op.GetName() + " " + EnumUtil::ToString(op.Cast<LogicalAnyJoin>().join_type);
	default:
		return op.GetName();
	}
}

string DescribeInPlace(const StageScan &scan) {
	string result;
	for (auto column : scan.in_place_by) {
		result += (result.empty() ? " in place by " : ", ") + scan.Get().names[column];
	}
	return result;
}

string Describe(const LogicalOperator &op, const StagePlan &stage, const DistributedPlan &plan) {
	if (auto scan = dynamic_cast<const LogicalExchangeScan *>(&op)) {
		return DescribeInput(*scan, stage, plan);
	}
	auto text = DescribeOperator(op);
	if (stage.scan && stage.scan->scan == &op) {
		text += DescribeInPlace(*stage.scan);
	}
	for (auto &aligned : stage.aligned_scans) {
		text += aligned.scan == &op ? DescribeInPlace(aligned) : "";
	}
	for (idx_t i = 0; i < op.children.size(); i++) {
		auto child = Describe(*op.children[i], stage, plan);
		text += op.children.size() == 1 ? " <- " + child : (i == 0 ? " <- [" : ", ") + child;
	}
	return op.children.size() > 1 ? text + "]" : text;
}

} // namespace

string DescribeStage(const StagePlan &stage, const DistributedPlan &plan) {
	return Describe(*stage.fragment, stage, plan);
}

} // namespace duckherder
