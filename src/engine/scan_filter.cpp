#include "engine/scan_filter.hpp"

#include "compat/filters.hpp"
#include "compat/names.hpp"
#include "compat/vectors.hpp"

#include "duckdb/common/vector_operations/vector_operations.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "duckdb/planner/expression/bound_reference_expression.hpp"
#include "duckdb/planner/filter/expression_filter.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! After so many rows a filter knows what it is worth
constexpr uint64_t TRIAL_ROWS = 50000;
//! One that lets more than this part of the rows pass costs more than it saves
constexpr double USELESS_FROM = 0.9;

//! Shared by all threads that scan
struct LookUp {
	std::shared_ptr<const KeySet> keys;
	std::shared_ptr<std::atomic<uint64_t>> pruned;
	std::atomic<uint64_t> tested {0};
	std::atomic<uint64_t> passed {0};

	bool Useless() const {
		auto rows = tested.load(std::memory_order_relaxed);
		return rows >= TRIAL_ROWS &&
		       static_cast<double>(passed.load(std::memory_order_relaxed)) > USELESS_FROM * static_cast<double>(rows);
	}
};

struct LookUpData : public FunctionData {
	explicit LookUpData(std::shared_ptr<LookUp> look_up_p) : look_up(std::move(look_up_p)) {
	}
	std::shared_ptr<LookUp> look_up;

	unique_ptr<FunctionData> Copy() const override {
		return make_uniq<LookUpData>(look_up);
	}
	bool Equals(const FunctionData &other) const override {
		return look_up == other.Cast<LookUpData>().look_up;
	}
};

void LookUpKeys(DataChunk &arguments, ExpressionState &state, Vector &result) {
	auto &expression = state.expr.Cast<BoundFunctionExpression>();
	auto &look_up = *expression.BindInfo()->Cast<LookUpData>().look_up;
	auto count = arguments.size();
	if (look_up.Useless()) {
		result.SetVectorType(VectorType::CONSTANT_VECTOR);
		*ConstantVector::GetData<bool>(result) = true;
		FlatVector::SetSize(result, count);
		return;
	}
	auto &keys = arguments.data[0];
	Vector hashes(LogicalType::HASH, count);
	VectorOperations::Hash(keys, hashes, count);
	FlattenRows(hashes, count);
	UnifiedVectorFormat format;
	keys.ToUnifiedFormat(count, format);
	auto hash_data = FlatVector::GetDataMutable<hash_t>(hashes);
	result.SetVectorType(VectorType::FLAT_VECTOR);
	auto passes = FlatVector::GetDataMutable<bool>(result);
	uint64_t passed = 0;
	auto all_valid = format.validity.AllValid();
	for (idx_t i = 0; i < count && all_valid; i++) {
		passes[i] = look_up.keys->MayContain(hash_data[i]);
		passed += passes[i] ? 1 : 0;
	}
	for (idx_t i = 0; i < count && !all_valid; i++) {
		passes[i] = format.validity.RowIsValid(format.sel->get_index(i)) && look_up.keys->MayContain(hash_data[i]);
		passed += passes[i] ? 1 : 0;
	}
	FlatVector::SetSize(result, count);
	look_up.tested.fetch_add(count, std::memory_order_relaxed);
	look_up.passed.fetch_add(passed, std::memory_order_relaxed);
	look_up.pruned->fetch_add(count - passed, std::memory_order_relaxed);
}

unique_ptr<TableFilter> MakeLookUp(std::shared_ptr<const KeySet> keys, std::shared_ptr<std::atomic<uint64_t>> pruned) {
	auto &type = keys->Type();
	auto look_up = std::make_shared<LookUp>();
	look_up->keys = std::move(keys);
	look_up->pruned = std::move(pruned);
	ScalarFunction function("duckherder_may_join", {type}, LogicalType::BOOLEAN, LookUpKeys);
	function.SetNullHandling(FunctionNullHandling::SPECIAL_HANDLING);
	vector<unique_ptr<Expression>> arguments;
	arguments.push_back(make_uniq<BoundReferenceExpression>(type, 0U));
	return make_uniq<ExpressionFilter>(
	    CallTo(std::move(function), std::move(arguments), make_uniq<LookUpData>(std::move(look_up))));
}

} // namespace

void FilterScanByKeys(LogicalGet &get, idx_t column, std::shared_ptr<const KeySet> keys,
                      std::shared_ptr<std::atomic<uint64_t>> pruned) {
	auto &column_ids = get.GetColumnIds();
	if (column >= column_ids.size()) {
		throw InternalException("A filter on column %llu of a scan of %llu columns", column, column_ids.size());
	}
	auto id = column_ids[column];
	if (id.IsVirtualColumn() || id.HasChildren() || get.GetColumnType(id) != keys->Type()) {
		return;
	}
	auto push = [&](unique_ptr<TableFilter> filter) { PushFilter(get, column, std::move(filter)); };
	if (!keys->Smallest().IsNull()) {
		push(CompareFilter(ExpressionType::COMPARE_GREATERTHANOREQUALTO, keys->Smallest()));
		push(CompareFilter(ExpressionType::COMPARE_LESSTHANOREQUALTO, keys->Largest()));
	}
	auto values = keys->Values();
	if (values.size() > 1) {
		// for the statistics of row groups only: rows are looked up faster by their hash
		push(MayBeOneOfFilter(keys->Type(), std::move(values)));
	}
	if (!keys->Saturated()) {
		push(MakeLookUp(std::move(keys), std::move(pruned)));
	}
}

} // namespace duckherder
