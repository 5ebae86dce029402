#include "compat/names.hpp"
#include "compat/vectors.hpp"
#include "fuzz/fuzz_target.hpp"

#include "engine/aggregate_state.hpp"

#include "duckdb/function/aggregate_state.hpp"
#include "duckdb/planner/expression/bound_aggregate_expression.hpp"
#include "duckdb/planner/expression/bound_reference_expression.hpp"
#include "duckdb/planner/operator/logical_aggregate.hpp"
#include "duckdb/storage/arena_allocator.hpp"

#include <cstring>

namespace duckherder::fuzz {

using namespace duckdb;

namespace {

//! Arguments, so that each function gets rows of its types
constexpr const char *AGGREGATES[] = {
    "count(i)",        "sum(i)",          "sum(d)",     "avg(d)",      "avg(f)",      "stddev(f)",
    "corr(f, f)",      "bool_and(b)",     "product(f)", "kurtosis(f)", "skewness(f)", "approx_count_distinct(i)",
    "regr_r2(f, f)",   "sum(h)",          "fsum(f)",    "count_if(b)", "avg(interv)", "approx_count_distinct(s)",
    "covar_pop(f, f)", "regr_slope(f, f)"};

struct Form {
	unique_ptr<BoundAggregateExpression> partial;
	unique_ptr<BoundAggregateExpression> final;
};

unique_ptr<BoundAggregateExpression> FindAggregate(LogicalOperator &op) {
	if (op.type == LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY) {
		return unique_ptr_cast<Expression, BoundAggregateExpression>(op.expressions[0]->Copy());
	}
	return FindAggregate(*op.children[0]);
}

class Aggregates {
public:
	Aggregates() : db(nullptr), connection(db) {
		connection.Query("CREATE TABLE t (i BIGINT, d DECIMAL(9, 2), f DOUBLE, b BOOLEAN, h HUGEINT, s VARCHAR, "
		                 "interv INTERVAL)");
		// as the functions were bound: count(x) of what is never NULL would become another
		connection.Query("SET disabled_optimizers = 'statistics_propagation'");
		for (auto name : AGGREGATES) {
			auto plan = connection.ExtractPlan(std::string("SELECT ") + name + " FROM t");
			auto aggregate = FindAggregate(*plan);
			Expect(HasPlainState(*aggregate), name);
			Form form;
			form.partial = MakePartial(*aggregate);
			form.final = MakeFinal(*aggregate, make_uniq<BoundReferenceExpression>(LogicalType::BLOB, 0U));
			forms.push_back(std::move(form));
		}
	}

	DuckDB db;
	Connection connection;
	std::vector<Form> forms;
};

Aggregates &All() {
	static Aggregates aggregates;
	return aggregates;
}

idx_t StateSize(const BoundAggregateExpression &form) {
	return form.function.state_size(form.function);
}

std::string Finish(const BoundAggregateExpression &form, data_ptr_t state, AggregateInputData &input) {
	Vector states(Value::POINTER(CastPointerToValue(state)));
	Vector result(form.return_type, idx_t(1));
	form.function.finalize(states, input, result, 1, 0);
	return result.GetValue(0).ToString();
}

//! Two states of the size that the function wants, as a worker combines and finishes them
void Combine(const BoundAggregateExpression &form, const std::string &bytes, bool any_size) {
	auto size = StateSize(form);
	Vector blobs(LogicalType::BLOB, idx_t(2));
	for (idx_t i = 0; i < 2; i++) {
		auto begin = std::min<size_t>(i * size, bytes.size());
		auto blob = bytes.substr(begin, any_size ? bytes.size() : size);
		blob.resize(any_size ? blob.size() : size);
		FlatVector::GetData<string_t>(blobs)[i] = StringVector::AddStringOrBlob(blobs, blob);
	}
	ArenaAllocator arena(Allocator::DefaultAllocator());
	AggregateInputData input(form.bind_info.get(), arena);
	std::vector<uint64_t> state(size / sizeof(uint64_t) + 1);
	auto address = data_ptr_cast(state.data());
	form.function.initialize(form.function, address);
	form.function.simple_update(&blobs, input, 1, address, 2);
	Finish(form, address, input);
}

} // namespace

std::vector<std::string> Samples() {
	std::vector<std::string> result;
	for (auto &form : All().forms) {
		auto &partial = *form.partial;
		std::vector<uint64_t> state(StateSize(partial) / sizeof(uint64_t) + 1);
		partial.function.initialize(partial.function, data_ptr_cast(state.data()));
		std::string bytes(reinterpret_cast<char *>(state.data()), StateSize(partial));
		result.push_back(static_cast<char>(result.size()) + bytes);
	}
	return result;
}

} // namespace duckherder::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	using namespace duckherder::fuzz;
	if (size > 0) {
		auto &forms = All().forms;
		auto &form = *forms[(data[0] & 0x7F) % forms.size()].final;
		Decode([&] { Combine(form, Text(data + 1, size - 1), (data[0] & 0x80) != 0); });
	}
	return 0;
}
