#include "planner/place/place_exchange.hpp"

#include "planner/place/partitioning.hpp"

#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/operator/logical_distinct.hpp"
#include "duckdb/planner/operator/logical_limit.hpp"
#include "duckdb/planner/operator/logical_order.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"
#include "duckdb/planner/operator/logical_top_n.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

unique_ptr<LogicalOperator> AppendColumns(Binder &binder, unique_ptr<LogicalOperator> op,
                                          vector<unique_ptr<Expression>> columns) {
	auto select_list = ColumnsOf(*op);
	for (auto &column : columns) {
		select_list.push_back(std::move(column));
	}
	auto projection = make_uniq<LogicalProjection>(binder.GenerateTableIndex(), std::move(select_list));
	if (op->has_estimated_cardinality) {
		projection->SetEstimatedCardinality(op->estimated_cardinality);
	}
	projection->children.push_back(std::move(op));
	return projection;
}

vector<BoundOrderByNode> CopyOrders(const vector<BoundOrderByNode> &orders) {
	vector<BoundOrderByNode> result;
	for (auto &order : orders) {
		result.push_back(order.Copy());
	}
	return result;
}

} // namespace

vector<unique_ptr<Expression>> ColumnsOf(LogicalOperator &op) {
	auto bindings = op.GetColumnBindings();
	vector<unique_ptr<Expression>> result;
	for (idx_t i = 0; i < bindings.size(); i++) {
		result.push_back(make_uniq<BoundColumnRefExpression>(op.types[i], bindings[i]));
	}
	return result;
}

void PutExchange(unique_ptr<LogicalOperator> &op, StageId number, Exchange exchange) {
	op->ResolveOperatorTypes();
	op = make_uniq<LogicalExchange>(number, std::move(exchange), std::move(op));
	op->ResolveOperatorTypes();
}

void PutKeyedExchange(Binder &binder, unique_ptr<LogicalOperator> &op, StageId number, Exchange exchange,
                      const vector<reference<Expression>> &keys) {
	op->ResolveOperatorTypes();
	auto bindings = op->GetColumnBindings();
	vector<unique_ptr<Expression>> computed;
	for (auto &key : keys) {
		auto position = bindings.size();
		if (auto column = AsColumn(key)) {
			position = std::find(bindings.begin(), bindings.end(), *column) - bindings.begin();
		}
		if (position == bindings.size()) {
			position += computed.size();
			computed.push_back(key.get().Copy());
		}
		exchange.key_columns.push_back(static_cast<uint32_t>(position));
	}
	if (!computed.empty()) {
		exchange.column_count = static_cast<uint32_t>(bindings.size());
		op = AppendColumns(binder, std::move(op), std::move(computed));
	}
	PutExchange(op, number, std::move(exchange));
	op->Cast<LogicalExchange>().bindings = std::move(bindings);
	op->ResolveOperatorTypes();
}

//! The most rows that DuckDB lets a LIMIT name; LIMIT NULL is that many
static constexpr idx_t ROWS_MAX = NumericLimits<int64_t>::Maximum();

unique_ptr<LogicalOperator> LocalFormOf(LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_TOP_N: {
		auto &top_n = op.Cast<LogicalTopN>();
		if (top_n.limit > ROWS_MAX - top_n.offset) {
			return nullptr;
		}
		return make_uniq<LogicalTopN>(CopyOrders(top_n.orders), top_n.limit + top_n.offset, 0);
	}
	case LogicalOperatorType::LOGICAL_LIMIT: {
		auto &limit = op.Cast<LogicalLimit>();
		if (limit.limit_val.Type() != LimitNodeType::CONSTANT_VALUE) {
			return nullptr;
		}
		auto rows = limit.limit_val.GetConstantValue();
		auto skipped =
		    limit.offset_val.Type() == LimitNodeType::CONSTANT_VALUE ? limit.offset_val.GetConstantValue() : 0;
		if (rows > ROWS_MAX - skipped) {
			return nullptr;
		}
		return make_uniq<LogicalLimit>(BoundLimitNode::ConstantValue(NumericCast<int64_t>(rows + skipped)),
		                               BoundLimitNode());
	}
	case LogicalOperatorType::LOGICAL_DISTINCT: {
		auto &distinct = op.Cast<LogicalDistinct>();
		vector<unique_ptr<Expression>> targets;
		for (auto &target : distinct.distinct_targets) {
			targets.push_back(target->Copy());
		}
		auto local = make_uniq<LogicalDistinct>(std::move(targets), distinct.distinct_type);
		if (op.has_estimated_cardinality) {
			local->SetEstimatedCardinality(op.estimated_cardinality);
		}
		return local;
	}
	default:
		// the session sorts again: runs that are sorted already cost it one pass
		return make_uniq<LogicalOrder>(CopyOrders(op.Cast<LogicalOrder>().orders));
	}
}

} // namespace duckherder
