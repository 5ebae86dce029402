#include "client/remote_place.hpp"

#include "client/remote_scan.hpp"
#include "compat/definitions.hpp"
#include "engine/exchange_scan.hpp"
#include "engine/function_calls.hpp"
#include "engine/operator_traits.hpp"
#include "engine/view_scan.hpp"
#include "engine/written_table.hpp"

#include "duckdb/function/scalar/sequence_utils.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "duckdb/planner/expression_iterator.hpp"
#include "duckdb/planner/operator/logical_create_table.hpp"
#include "duckdb/planner/operator/logical_cteref.hpp"
#include "duckdb/planner/operator/logical_cte.hpp"
#include "duckdb/planner/operator/logical_delim_get.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

#include <algorithm>
#include <set>

namespace duckherder {

using namespace duckdb;

namespace {

RemoteSite Here() {
	RemoteSite place;
	place.local = true;
	return place;
}

RemoteSite Both(const RemoteSite &left, const RemoteSite &right) {
	if (left.local || right.local || (left.catalog && right.catalog && left.catalog != right.catalog)) {
		return Here();
	}
	RemoteSite place;
	place.catalog = left.catalog ? left.catalog : right.catalog;
	place.functions = left.functions;
	place.functions.insert(right.functions.begin(), right.functions.end());
	return place;
}

//! They tell of the session, not of data, and the driver's session is another one
bool TellsOfSession(const FunctionCall &call) {
	switch (TraitsOf(call.kind, call.name).reason) {
	case SessionReason::OF_CONTEXT:
	case SessionReason::OF_SETTINGS:
	case SessionReason::OF_VARIABLES:
	case SessionReason::OF_CATALOG:
	case SessionReason::OF_PARSER:
	case SessionReason::OF_LOGS:
	case SessionReason::OF_PROCESS:
	case SessionReason::OF_SESSION:
	case SessionReason::EFFECTS:
		return true;
	case SessionReason::OWN_STATE:
		return !UsesSequence(call.name);
	default:
		return false;
	}
}

//! What the expressions of an operator say of its place
class SiteOfExpressions {
public:
	void Visit(LogicalOperator &op) {
		VisitExpressions(op, [&](Expression &expression) { Visit(expression); });
	}

	void Visit(Expression &expression) {
		Check(expression);
		VisitFunctions(expression, [&](const FunctionCall &call) { calls.push_back(call); });
	}

	bool local = false;
	RemoteSite sequences;
	bool uses_drivers_sequence = false;
	std::vector<FunctionCall> calls;

private:
	void Check(Expression &expression) {
		if (expression.GetExpressionClass() == ExpressionClass::BOUND_SUBQUERY) {
			local = true;
		} else if (expression.GetExpressionClass() == ExpressionClass::BOUND_FUNCTION) {
			auto &bound = expression.Cast<BoundFunctionExpression>();
			if (UsesSequence(FunctionName(bound.Function()))) {
				CheckSequence(bound);
			}
		}
		ExpressionIterator::EnumerateChildren(expression, [&](Expression &child) { Check(child); });
	}

	void CheckSequence(BoundFunctionExpression &bound) {
		if (!bound.BindInfo()) {
			local = true;
			return;
		}
		RemoteSite place;
		place.catalog = RemoteCatalog::From(bound.BindInfo()->Cast<NextvalBindData>().sequence.ParentCatalog());
		place.local = !place.catalog;
		uses_drivers_sequence = uses_drivers_sequence || place.catalog;
		sequences = Both(sequences, place);
	}
};

bool IsAnywhere(const LogicalGet &get) {
	static const std::set<string> names = {"range", "generate_series", "unnest", "repeat", "repeat_row"};
	return names.count(FunctionName(get.function)) > 0;
}

RemoteSite SiteOfKind(LogicalOperator &op) {
	RemoteSite place;
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_GET: {
		auto &get = op.Cast<LogicalGet>();
		if (FunctionName(get.function) == VIEW_SCAN_NAME) {
			place.catalog = RemoteCatalog::From(*get.bind_data->Cast<ViewScanData>().catalog);
			place.local = !place.catalog;
		} else if (FunctionName(get.function) == REMOTE_SCAN_NAME) {
			place.catalog = &get.bind_data->Cast<RemoteScanData>().table.Remote();
		} else {
			place.local = !IsAnywhere(get);
		}
		return place;
	}
	case LogicalOperatorType::LOGICAL_INSERT:
	case LogicalOperatorType::LOGICAL_UPDATE:
	case LogicalOperatorType::LOGICAL_DELETE:
	case LogicalOperatorType::LOGICAL_MERGE_INTO:
		place.catalog = TargetOf(op);
		place.local = !place.catalog;
		return place;
	case LogicalOperatorType::LOGICAL_CREATE_TABLE:
		place.catalog = TargetOf(op);
		// without a query it is a definition
		place.local = !place.catalog || op.children.empty();
		return place;
	default:
		// An exchange scan is the place of rows that were sent there.
		place.local = !TraitsOf(op.type).at_site && !dynamic_cast<LogicalExchangeScan *>(&op);
		return place;
	}
}

//! Parts of plans that something else in the same part defines
class References {
public:
	void Walk(LogicalOperator &op) {
		if (op.type == LogicalOperatorType::LOGICAL_CTE_REF) {
			ctes_used.insert(IndexOf(op.Cast<LogicalCTERef>().cte_index));
		} else if (op.type == LogicalOperatorType::LOGICAL_MATERIALIZED_CTE ||
		           op.type == LogicalOperatorType::LOGICAL_RECURSIVE_CTE) {
			ctes_defined.insert(IndexOf(op.Cast<LogicalCTE>().table_index));
		} else if (op.type == LogicalOperatorType::LOGICAL_DELIM_GET) {
			delim_gets++;
		} else if (op.type == LogicalOperatorType::LOGICAL_DELIM_JOIN) {
			delim_joins++;
		}
		for (auto &child : op.children) {
			Walk(*child);
		}
	}

	bool Complete() const {
		for (auto used : ctes_used) {
			if (ctes_defined.count(used) == 0) {
				return false;
			}
		}
		return delim_gets == 0 || delim_joins > 0;
	}

private:
	std::set<idx_t> ctes_used;
	std::set<idx_t> ctes_defined;
	idx_t delim_gets = 0;
	idx_t delim_joins = 0;
};

RemoteSite SiteOfTree(ClientContext &context, LogicalOperator &op) {
	auto place = SiteOfOperator(context, op);
	for (auto &child : op.children) {
		if (place.local) {
			return place;
		}
		place = Both(place, SiteOfTree(context, *child));
	}
	return place;
}

} // namespace

bool UsesSequence(const string &function) {
	return IsSequenceFunction(function);
}

optional_ptr<RemoteCatalog> TargetOf(LogicalOperator &op) {
	if (auto table = WrittenTableOf(op)) {
		return RemoteCatalog::From(table->catalog);
	}
	if (op.type == LogicalOperatorType::LOGICAL_CREATE_TABLE) {
		return RemoteCatalog::From(op.Cast<LogicalCreateTable>().schema.catalog);
	}
	return nullptr;
}

bool CallsFunction(LogicalOperator &op, const std::string &name) {
	auto calls = false;
	VisitFunctions(op, [&](const FunctionCall &call) { calls = calls || StringUtil::CIEquals(call.name, name); });
	return calls || std::any_of(op.children.begin(), op.children.end(),
	                            [&](auto &child) { return CallsFunction(*child, name); });
}

bool UsesDriversSequence(LogicalOperator &op) {
	SiteOfExpressions expressions;
	expressions.Visit(op);
	return expressions.uses_drivers_sequence;
}

namespace {

bool Touches(LogicalOperator &op) {
	if (op.type == LogicalOperatorType::LOGICAL_GET) {
		auto &function = FunctionName(op.Cast<LogicalGet>().function);
		return function == REMOTE_SCAN_NAME || function == VIEW_SCAN_NAME;
	}
	if (TargetOf(op) || UsesDriversSequence(op)) {
		return true;
	}
	for (auto &child : op.children) {
		if (Touches(*child)) {
			return true;
		}
	}
	return false;
}

} // namespace

bool TouchesDriver(LogicalOperator &op) {
	return RemoteCatalog::AnyAttached() && Touches(op);
}

RemoteSite SiteOfOperator(ClientContext &context, LogicalOperator &op) {
	auto place = SiteOfKind(op);
	if (place.local) {
		return place;
	}
	SiteOfExpressions expressions;
	expressions.Visit(op);
	VisitDefaults(op, [&](unique_ptr<Expression> &fallback) { expressions.Visit(*fallback); });
	if (expressions.local) {
		return Here();
	}
	place = Both(place, expressions.sequences);
	for (auto &call : expressions.calls) {
		place.functions.insert(StringUtil::Lower(call.name));
		// the driver may have one of the same name, but not this one
		place.local = place.local || TellsOfSession(call) || !CameWithDuckDB(context, call);
	}
	return place;
}

bool Touches(ClientContext &context, LogicalOperator &op, RemoteCatalog &driver) {
	return SiteOfOperator(context, op).catalog.get() == &driver ||
	       std::any_of(op.children.begin(), op.children.end(),
	                   [&](auto &child) { return Touches(context, *child, driver); });
}

RemoteSite SiteOfPlan(ClientContext &context, LogicalOperator &op) {
	References references;
	references.Walk(op);
	if (!references.Complete()) {
		return Here();
	}
	auto place = SiteOfTree(context, op);
	if (place.AtDriver()) {
		for (auto &function : place.functions) {
			if (!place.catalog->Server().HasFunction(function)) {
				return Here();
			}
		}
	}
	return place;
}

} // namespace duckherder
