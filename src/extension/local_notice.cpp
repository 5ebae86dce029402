#include "extension/local_notice.hpp"

#include "duckdb/execution/physical_operator.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"
#include "duckdb/planner/operator/logical_extension_operator.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

class PhysicalLocalNotice : public PhysicalOperator {
public:
	PhysicalLocalNotice(PhysicalPlan &physical_plan, PhysicalOperator &child, string reason_p)
	    : PhysicalOperator(physical_plan, PhysicalOperatorType::EXTENSION, child.types, child.estimated_cardinality),
	      reason(std::move(reason_p)) {
		children.push_back(child);
	}

	string GetName() const override {
		return "DUCKHERDER_LOCAL";
	}
	InsertionOrderPreservingMap<string> ParamsToString() const override {
		InsertionOrderPreservingMap<string> result;
		// also where the operator's name is not shown, as in EXPLAIN ANALYZE
		result["Local"] = reason;
		return result;
	}
	OperatorResultType Execute(ExecutionContext &, DataChunk &input, DataChunk &chunk, GlobalOperatorState &,
	                           OperatorState &) const override {
		chunk.Reference(input);
		return OperatorResultType::NEED_MORE_INPUT;
	}
	bool ParallelOperator() const override {
		return true;
	}

private:
	const string reason;
};

class LogicalLocalNotice : public LogicalExtensionOperator {
public:
	LogicalLocalNotice(unique_ptr<LogicalOperator> plan, string reason_p) : reason(std::move(reason_p)) {
		children.push_back(std::move(plan));
	}

	string GetName() const override {
		return "DUCKHERDER_LOCAL";
	}
	vector<ColumnBinding> GetColumnBindings() override {
		return children[0]->GetColumnBindings();
	}
	PhysicalOperator &CreatePlan(ClientContext &, PhysicalPlanGenerator &planner) override {
		return planner.Make<PhysicalLocalNotice>(planner.CreatePlan(*children[0]), reason);
	}

protected:
	void ResolveTypes() override {
		types = children[0]->types;
	}

private:
	const string reason;
};

} // namespace

unique_ptr<LogicalOperator> WithLocalNotice(unique_ptr<LogicalOperator> plan, const string &reason) {
	auto rows = plan->estimated_cardinality;
	auto result = make_uniq<LogicalLocalNotice>(std::move(plan), reason);
	result->SetEstimatedCardinality(rows);
	result->ResolveOperatorTypes();
	return result;
}

} // namespace duckherder
