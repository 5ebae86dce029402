#include "planner/cut/feed_steps.hpp"

#include "engine/exchange_scan.hpp"
#include "wire/chunk_codec.hpp"

#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "duckdb/planner/expression_iterator.hpp"

#include <algorithm>
#include <set>

namespace duckherder {

using namespace duckdb;

namespace {

//! A value that has no fixed size is taken to have this many bytes, with what says where it ends.
constexpr idx_t VALUE_BYTES_GUESS = 24;

bool HasFixedSize(const LogicalType &type) {
	return TypeIsConstantSize(type.InternalType());
}

idx_t WidthOf(const vector<LogicalType> &types) {
	idx_t result = 0;
	for (auto &type : types) {
		result += HasFixedSize(type) ? GetTypeIdSize(type.InternalType()) : VALUE_BYTES_GUESS;
	}
	return result;
}

//! Functions of strings and structs that take no longer than it takes to send what they read. The work of all others
//! is shared among the workers.
bool IsCheapFunction(const BoundFunctionExpression &function) {
	static const std::set<string> CHEAP = {"~~",          "!~~",    "prefix",         "suffix",
	                                       "contains",    "substr", "substring",      "struct_extract",
	                                       "starts_with", "strlen", "struct_extract_at"};
	auto &name = function.function.name;
	return CHEAP.count(name) > 0 || StringUtil::StartsWith(name, "__internal_compress_") ||
	       std::all_of(function.children.begin(), function.children.end(),
	                   [](auto &child) { return HasFixedSize(child->return_type); });
}

bool IsCheap(const Expression &expression) {
	if (expression.GetExpressionClass() == ExpressionClass::BOUND_FUNCTION &&
	    !IsCheapFunction(expression.Cast<BoundFunctionExpression>())) {
		return false;
	}
	auto result = true;
	ExpressionIterator::EnumerateChildren(expression,
	                                      [&](const Expression &child) { result = result && IsCheap(child); });
	return result;
}

bool MayMove(const LogicalOperator &op, bool is_root) {
	auto is_projection = op.type == LogicalOperatorType::LOGICAL_PROJECTION;
	if ((!is_projection && op.type != LogicalOperatorType::LOGICAL_FILTER) || (is_projection && is_root) ||
	    op.types.empty()) {
		return false;
	}
	return std::all_of(op.types.begin(), op.types.end(), HasWireType) &&
	       std::all_of(op.expressions.begin(), op.expressions.end(),
	                   [](auto &expression) { return !expression->IsVolatile() && IsCheap(*expression); });
}

//! Where an operator hangs in its fragment
using Place = reference<unique_ptr<LogicalOperator>>;

//! Adds the operators above the feed that may move, from the lowest on up to the first that has to stay. True while
//! there was none of these yet.
bool FindSteps(unique_ptr<LogicalOperator> &op, bool is_root, vector<Place> &steps) {
	auto scan = dynamic_cast<LogicalExchangeScan *>(op.get());
	if (scan && scan->source.is_feed) {
		return true;
	}
	for (auto &child : op->children) {
		if (FindSteps(child, false, steps)) {
			auto moves = MayMove(*op, is_root);
			if (moves) {
				steps.push_back(op);
			}
			return moves;
		}
	}
	return false;
}

//! How many of the steps are worth it: up to the last one that filters, or that leaves rows as narrow as any before
idx_t CountWorthMoving(const vector<Place> &steps, idx_t width) {
	idx_t result = 0;
	for (idx_t i = 0; i < steps.size(); i++) {
		auto &step = *steps[i].get();
		auto step_width = WidthOf(step.types);
		if (step.type == LogicalOperatorType::LOGICAL_FILTER || step_width <= width) {
			result = i + 1;
		}
		width = MinValue(width, step_width);
	}
	return result;
}

void Move(unique_ptr<LogicalOperator> &op, StageScan &stage_scan) {
	auto bindings = op->GetColumnBindings();
	auto scan = unique_ptr_cast<LogicalOperator, LogicalExchangeScan>(std::move(op->children[0]));
	scan->bindings = std::move(bindings);
	scan->return_types = op->types;
	scan->SetEstimatedCardinality(op->has_estimated_cardinality ? op->estimated_cardinality : 1);
	scan->ResolveOperatorTypes();
	op->children.clear();
	stage_scan.feed_steps.push_back(std::move(op));
	op = std::move(scan);
}

} // namespace

void MoveStepsIntoFeeds(vector<StagePlan> &stages) {
	for (auto &stage : stages) {
		if (!stage.scan || !stage.scan->feed_scan) {
			continue;
		}
		stage.fragment->ResolveOperatorTypes();
		vector<Place> steps;
		FindSteps(stage.fragment, true, steps);
		auto count = CountWorthMoving(steps, WidthOf(stage.scan->feed_scan->types));
		for (idx_t i = 0; i < count; i++) {
			Move(steps[i].get(), *stage.scan);
		}
	}
}

} // namespace duckherder
