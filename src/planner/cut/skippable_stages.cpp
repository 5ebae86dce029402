#include "planner/cut/skippable_stages.hpp"

#include "common/contains.hpp"
#include "planner/cut/may_fail.hpp"
#include "planner/cut/stage_order.hpp"

#include "duckdb/planner/logical_operator_visitor.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

bool ExpressionsMayFail(LogicalOperator &op) {
	auto result = false;
	LogicalOperatorVisitor::EnumerateExpressions(
	    op, [&](unique_ptr<Expression> *expression) { result = result || MayFail(**expression); });
	return result;
}

bool MayFail(LogicalOperator &op) {
	return ExpressionsMayFail(op) ||
	       std::any_of(op.children.begin(), op.children.end(), [](auto &child) { return MayFail(*child); });
}

//! What makes the keys of a stage that has some to compute is its last operator.
bool ComputesKeys(const StagePlan &stage) {
	return stage.output.column_count > 0;
}

} // namespace

void HoldBackFailingKeys(const std::map<StageId, StageId> &skippable, vector<StagePlan> &stages) {
	for (auto &entry : skippable) {
		auto &stage = stages[entry.first];
		if (ComputesKeys(stage) && ExpressionsMayFail(*stage.fragment) && !WaitsFor(stages, entry.second, stage.id)) {
			WaitFor(stage, entry.second);
		}
	}
}

void SkipIfEmptyInput(const std::map<StageId, StageId> &skippable, vector<StagePlan> &stages) {
	for (auto &entry : skippable) {
		auto &stage = stages[entry.first];
		if (Contains(stage.after, entry.second)) {
			auto &below_keys = ComputesKeys(stage) ? *stage.fragment->children[0] : *stage.fragment;
			stage.skip_if_empty = SkipIfEmpty {entry.second, MayFail(below_keys)};
		}
	}
}

} // namespace duckherder
