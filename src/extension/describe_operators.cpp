#include "extension/describe_operators.hpp"

#include "common/text.hpp"
#include "compat/explain.hpp"
#include "compat/shown_filters.hpp"
#include "engine/exchange_scan.hpp"
#include "extension/gather_scan.hpp"
#include "planner/cut/describe_stage.hpp"

#include "duckdb/common/enum_util.hpp"
#include "duckdb/common/render_tree.hpp"
#include "duckdb/planner/operator/list.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! A line of EXPLAIN shows at most so many bytes of an operator's expressions. Lists of IN may have thousands of
//! values.
constexpr idx_t DETAILS_MAX = 400;

string Joined(const vector<string> &parts, const string &separator) {
	auto text = StringUtil::Replace(StringUtil::Join(parts, separator), "\n", " ");
	auto length = WholeCharacters(text, DETAILS_MAX);
	return length < text.size() ? text.substr(0, length) + "…" : text;
}

class Describer {
public:
	Describer(const StagePlan *stage_p, const ColumnNames &names_p) : stage(stage_p), names(names_p) {
	}

	std::vector<OperatorFacts> Describe(LogicalOperator &op) {
		Add(op, 0);
		return std::move(result);
	}

private:
	void Add(LogicalOperator &op, uint32_t depth) {
		if (auto scan = dynamic_cast<LogicalExchangeScan *>(&op)) {
			AddInput(*scan, depth);
			return;
		}
		OperatorFacts facts;
		facts.depth = depth;
		facts.name = NameOf(op);
		facts.details = DetailsOf(op);
		facts.in_place_by = InPlaceBy(op);
		facts.reads = GatheredStage(op);
		if (op.has_estimated_cardinality && !facts.reads && op.type != LogicalOperatorType::LOGICAL_PROJECTION) {
			facts.estimated_rows = op.estimated_cardinality;
		}
		result.push_back(std::move(facts));
		for (auto &child : op.children) {
			Add(*child, depth + (op.children.size() > 1 ? 1 : 0));
		}
	}

	void AddInput(const LogicalExchangeScan &scan, uint32_t depth) {
		if (!scan.source.is_feed) {
			OperatorFacts facts;
			facts.depth = depth;
			facts.name = "READ";
			facts.reads = scan.source.stage;
			result.push_back(std::move(facts));
			return;
		}
		auto &steps = stage->scan->feed_steps;
		for (auto step = steps.rbegin(); step != steps.rend(); step++) {
			OperatorFacts facts;
			facts.depth = depth;
			facts.name = NameOf(**step) + " in the session";
			facts.details = DetailsOf(**step);
			result.push_back(std::move(facts));
		}
		Add(*stage->scan->feed_scan, depth);
	}

	string NameOf(const LogicalOperator &op) const {
		switch (op.type) {
		case LogicalOperatorType::LOGICAL_GET:
			return DescribeScan(op.Cast<LogicalGet>());
		case LogicalOperatorType::LOGICAL_COMPARISON_JOIN:
			return "JOIN " + EnumUtil::ToString(op.Cast<LogicalComparisonJoin>().join_type);
		case LogicalOperatorType::LOGICAL_DELIM_JOIN:
		case LogicalOperatorType::LOGICAL_ASOF_JOIN:
			return op.GetName() + " " + EnumUtil::ToString(op.Cast<LogicalComparisonJoin>().join_type);
		case LogicalOperatorType::LOGICAL_ANY_JOIN:
			return "JOIN " + EnumUtil::ToString(op.Cast<LogicalAnyJoin>().join_type);
		case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY:
			return op.Cast<LogicalAggregate>().groups.empty() ? "AGGREGATE" : "GROUP_BY";
		default:
			return op.GetName();
		}
	}

	string DetailsOf(LogicalOperator &op) const {
		switch (op.type) {
		case LogicalOperatorType::LOGICAL_GET:
			return OfScan(op.Cast<LogicalGet>());
		case LogicalOperatorType::LOGICAL_COMPARISON_JOIN:
		case LogicalOperatorType::LOGICAL_DELIM_JOIN:
		case LogicalOperatorType::LOGICAL_ASOF_JOIN:
			return OfJoin(op.Cast<LogicalComparisonJoin>());
		case LogicalOperatorType::LOGICAL_ANY_JOIN:
			return names.Of(*op.Cast<LogicalAnyJoin>().condition);
		case LogicalOperatorType::LOGICAL_PROJECTION:
			return OfProjection(op.Cast<LogicalProjection>());
		case LogicalOperatorType::LOGICAL_FILTER:
			return OfExpressions(op.expressions, " AND ");
		case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY:
			return OfAggregate(op.Cast<LogicalAggregate>());
		case LogicalOperatorType::LOGICAL_ORDER_BY:
			return OfOrders(op.Cast<LogicalOrder>().orders);
		case LogicalOperatorType::LOGICAL_TOP_N: {
			auto &top = op.Cast<LogicalTopN>();
			return "first " + to_string(top.limit) + (top.offset > 0 ? " after " + to_string(top.offset) : "") +
			       " by " + OfOrders(top.orders);
		}
		case LogicalOperatorType::LOGICAL_LIMIT:
			return OfLimit(op.Cast<LogicalLimit>());
		case LogicalOperatorType::LOGICAL_DISTINCT:
			return OfExpressions(op.Cast<LogicalDistinct>().distinct_targets, ", ");
		case LogicalOperatorType::LOGICAL_COPY_TO_FILE:
			return op.Cast<LogicalCopyToFile>().file_path;
		case LogicalOperatorType::LOGICAL_EXTENSION_OPERATOR:
			return string();
		default:
			return OfExpressions(op.expressions, ", ");
		}
	}

	std::vector<std::string> InPlaceBy(const LogicalOperator &op) const {
		std::vector<std::string> columns;
		auto note = [&](const StageScan &scan) {
			if (&scan.Get() == &op) {
				for (auto column : scan.in_place_by) {
					columns.push_back(NameText(scan.Get().names[column]));
				}
			}
		};
		if (stage && stage->scan) {
			note(*stage->scan);
			std::for_each(stage->aligned_scans.begin(), stage->aligned_scans.end(), note);
		}
		return columns;
	}

	string OfExpressions(const vector<unique_ptr<Expression>> &expressions, const string &separator) const {
		vector<string> parts;
		for (auto &expression : expressions) {
			parts.push_back(names.Of(*expression));
		}
		return Joined(parts, separator);
	}

	//! "price * 2 AS twice", unless the column has no other name than the expression
	string OfProjection(const LogicalProjection &projection) const {
		vector<string> parts;
		for (idx_t i = 0; i < projection.expressions.size(); i++) {
			auto text = names.Of(*projection.expressions[i]);
			auto name = names.Of(ColumnBinding(projection.table_index, ProjectionIndex(i)));
			if (!name.empty() && name != text) {
				text += " AS ";
				text += name;
			}
			parts.push_back(std::move(text));
		}
		return Joined(parts, ", ");
	}

	string OfOrders(const vector<BoundOrderByNode> &orders) const {
		vector<string> parts;
		for (auto &order : orders) {
			parts.push_back(names.Of(*order.expression) + (order.type == OrderType::DESCENDING ? " DESC" : ""));
		}
		return Joined(parts, ", ");
	}

	static string OfScan(const LogicalGet &get) {
		vector<string> parts;
		ForEachFilter(get.table_filters, [&](idx_t key, TableFilter &filter) {
			auto column = FilteredColumn(get, key);
			if (column && column->GetPrimaryIndex() < get.names.size()) {
				parts.push_back(FilterText(filter, NameText(get.names[column->GetPrimaryIndex()])));
			}
		});
		if (!get.extra_info.file_filters.empty()) {
			parts.push_back(get.extra_info.file_filters);
		}
		return Joined(parts, " AND ");
	}

	string OfJoin(const LogicalComparisonJoin &join) const {
		vector<string> parts;
		for (auto &condition : join.conditions) {
			if (!condition.IsComparison()) {
				continue;
			}
			parts.push_back(names.Of(*condition.LeftReference()) + " " +
			                ExpressionTypeToOperator(condition.GetComparisonType()) + " " +
			                names.Of(*condition.RightReference()));
		}
		for (auto &condition : OtherConditionsOf(join)) {
			parts.push_back(names.Of(condition));
		}
		return Joined(parts, " AND ");
	}

	string OfAggregate(const LogicalAggregate &aggregate) const {
		auto groups = OfExpressions(aggregate.groups, ", ");
		auto results = OfExpressions(aggregate.expressions, ", ");
		return groups + (groups.empty() || results.empty() ? "" : ": ") + results;
	}

	static string OfLimit(const LogicalLimit &limit) {
		vector<string> parts;
		if (limit.limit_val.Type() == LimitNodeType::CONSTANT_VALUE) {
			parts.push_back("first " + to_string(limit.limit_val.GetConstantValue()));
		}
		if (limit.offset_val.Type() == LimitNodeType::CONSTANT_VALUE && limit.offset_val.GetConstantValue() > 0) {
			parts.push_back("after " + to_string(limit.offset_val.GetConstantValue()));
		}
		return Joined(parts, " ");
	}

	const StagePlan *stage;
	const ColumnNames &names;
	std::vector<OperatorFacts> result;
};

} // namespace

std::vector<OperatorFacts> DescribeFragment(const StagePlan &stage, const ColumnNames &names) {
	return Describer(&stage, names).Describe(*stage.fragment);
}

std::vector<OperatorFacts> DescribeSession(LogicalOperator &root, const ColumnNames &names) {
	return Describer(nullptr, names).Describe(root);
}

} // namespace duckherder
