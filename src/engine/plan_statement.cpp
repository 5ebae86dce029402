#include "engine/plan_statement.hpp"

#include "compat/names.hpp"

#include "duckdb/common/exception/transaction_exception.hpp"
#include "duckdb/planner/operator/logical_extension_operator.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! What is left where a plan was taken away
class TakenPlan : public LogicalExtensionOperator {
public:
	PhysicalOperator &CreatePlan(ClientContext &, PhysicalPlanGenerator &) override {
		throw TransactionException("An extension wants the statement to be planned again, which can only be done where "
		                           "it came from: run it once more");
	}

protected:
	void ResolveTypes() override {
	}
};

} // namespace

PlanStatement::PlanStatement(unique_ptr<LogicalOperator> plan_p, string query_p)
    : LogicalPlanStatement(std::move(plan_p)) {
	query = std::move(query_p);
}

unique_ptr<SQLStatement> PlanStatement::Copy() const {
	auto &mine = const_cast<PlanStatement &>(*this).plan;
	auto result = make_uniq<PlanStatement>(std::move(mine), query);
	CopyLocation(*this, *result);
	mine = make_uniq<TakenPlan>();
	return result;
}

string PlanStatement::ToString() const {
	return query;
}

} // namespace duckherder
