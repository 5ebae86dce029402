#pragma once

#include "engine/function_traits.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/expression.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "duckdb/planner/logical_operator.hpp"

#include <functional>
#include <string>

namespace duckherder {

//! A function that a bound plan calls
struct FunctionCall {
	//! SCALAR or AGGREGATE
	FunctionKind kind;
	std::string name;
	//! Empty: DuckDB's own
	std::string catalog;
	std::string schema;
};

using FunctionVisitor = std::function<void(const FunctionCall &)>;

//! Every function that the expression calls: also in the bodies of lambdas, as a window function, and those whose name
//! is an argument (list_aggregate). DuckDB's own visitors see none of these.
void VisitFunctions(duckdb::Expression &expression, const FunctionVisitor &visit);
//! The same for all expressions of an operator without its children, and the filters of a scan
void VisitFunctions(duckdb::LogicalOperator &op, const FunctionVisitor &visit);
//! Every expression of the operator itself, those in the filters of a scan included
void VisitExpressions(duckdb::LogicalOperator &op, const std::function<void(duckdb::Expression &)> &visit);

//! The body of the lambda that the function was bound with; null if there is none: functions that take lambdas can be
//! bound without one, with data of another kind.
duckdb::optional_ptr<duckdb::Expression> LambdaOf(duckdb::BoundFunctionExpression &call);

//! Why a function that is called cannot run on a worker; empty if it can. Beside the traits of its name this looks
//! whether the catalog's entry is the one that DuckDB or an extension came with: programs around DuckDB (Python, C,
//! Java) register functions at run time, also over a built-in one, and mark them as internal.
std::string WhyNotCalledOnWorker(duckdb::ClientContext &context, const FunctionCall &call);
//! Whether the catalog's entry is the one that DuckDB or an extension came with
bool CameWithDuckDB(duckdb::ClientContext &context, const FunctionCall &call);

} // namespace duckherder
