#include "planner/cut/feed_steps.hpp"

#include "compat/names.hpp"
#include "compat/packing.hpp"
#include "engine/exchange_scan.hpp"
#include "planner/cut/may_fail.hpp"
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
	static const std::set<string> CHEAP = {
	    "~~",     "!~~",       "prefix", "suffix",         "starts_with",       "contains",
	    "substr", "substring", "strlen", "struct_extract", "struct_extract_at",
	};
	auto &name = FunctionName(function.Function());
	return CHEAP.count(name) > 0 || PackingOf(function) == Packing::PACKS ||
	       std::all_of(function.GetChildren().begin(), function.GetChildren().end(),
	                   [](auto &child) { return HasFixedSize(child->GetReturnType()); });
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

bool HasLimit(const LogicalOperator &op) {
	return op.type == LogicalOperatorType::LOGICAL_LIMIT ||
	       std::any_of(op.children.begin(), op.children.end(), [](auto &child) { return HasLimit(*child); });
}

//! Where an operator hangs in its fragment
using Place = reference<unique_ptr<LogicalOperator>>;

//! Looks for the operators above the feed of one fragment that may move.
class StepFinder {
public:
	//! The session reads ahead, so that a step could fail on rows behind those that a LIMIT wants: `may_fail` is false
	//! then.
	explicit StepFinder(bool may_fail_p) : may_fail(may_fail_p) {
	}

	//! Adds them from the lowest on up to the first that has to stay. True while there was none of these yet.
	bool Find(unique_ptr<LogicalOperator> &op, bool is_root) {
		auto scan = dynamic_cast<LogicalExchangeScan *>(op.get());
		if (scan && scan->source.is_feed) {
			return true;
		}
		for (auto &child : op->children) {
			if (Find(child, false)) {
				auto moves = MayMove(*op, is_root);
				if (moves) {
					steps.push_back(op);
				}
				return moves;
			}
		}
		return false;
	}

	//! How many of them are worth it: up to the last one that filters, or that leaves rows as narrow as any before
	idx_t CountWorthMoving(idx_t width) const {
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

	vector<Place> steps;

private:
	bool MayMove(const LogicalOperator &op, bool is_root) const {
		auto is_projection = op.type == LogicalOperatorType::LOGICAL_PROJECTION;
		if ((!is_projection && op.type != LogicalOperatorType::LOGICAL_FILTER) || (is_projection && is_root) ||
		    op.types.empty()) {
			return false;
		}
		auto moves = [&](const unique_ptr<Expression> &expression) {
			return !expression->IsVolatile() && IsCheap(*expression) && (may_fail || !MayFail(*expression));
		};
		return std::all_of(op.types.begin(), op.types.end(), HasWireType) &&
		       std::all_of(op.expressions.begin(), op.expressions.end(), moves);
	}

	const bool may_fail;
};

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
	auto has_limit = std::any_of(stages.begin(), stages.end(), [](auto &stage) { return HasLimit(*stage.fragment); });
	for (auto &stage : stages) {
		if (!stage.scan || !stage.scan->feed_scan) {
			continue;
		}
		stage.fragment->ResolveOperatorTypes();
		StepFinder finder(!has_limit);
		finder.Find(stage.fragment, true);
		auto count = finder.CountWorthMoving(WidthOf(stage.scan->feed_scan->types));
		for (idx_t i = 0; i < count; i++) {
			Move(finder.steps[i].get(), *stage.scan);
		}
	}
}

} // namespace duckherder
