#include "engine/aggregate_state.hpp"

#include "compat/aggregates.hpp"
#include "compat/names.hpp"
#include "compat/types.hpp"
#include "compat/vectors.hpp"
#include "engine/describe_function.hpp"

#include "duckdb/catalog/catalog_entry/aggregate_function_catalog_entry.hpp"
#include "duckdb/common/serializer/deserializer.hpp"
#include "duckdb/common/serializer/serializer.hpp"
#include "duckdb/common/types/hyperloglog.hpp"
#include "duckdb/function/function_serialization.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/parser/parsed_data/create_aggregate_function_info.hpp"
#include "duckdb/planner/expression/bound_reference_expression.hpp"

#include <algorithm>
#include <cstring>
#include <unordered_set>

namespace duckherder {

using namespace duckdb;

namespace {

//! The wrapped function, for the callbacks that are given the function but no bind data
struct WrappedFunction : public AggregateFunctionInfo {
	explicit WrappedFunction(BoundAggregateFunction function_p) : function(std::move(function_p)) {
	}
	BoundAggregateFunction function;
};

//! The wrapped function and its bind data, for the callbacks that are given bind data but no function
struct WrappedBindData : public FunctionData {
	WrappedBindData(BoundAggregateFunction function_p, unique_ptr<FunctionData> bind_data_p, LogicalType return_type_p)
	    : function(std::move(function_p)), bind_data(std::move(bind_data_p)), return_type(std::move(return_type_p)),
	      state_size(StateSizeOf(function, bind_data.get())) {
	}
	BoundAggregateFunction function;
	unique_ptr<FunctionData> bind_data;
	//! Of the expression. The optimizer may have exchanged the function (SUM of DECIMAL by one of HUGEINT) under it.
	LogicalType return_type;
	idx_t state_size;

	unique_ptr<FunctionData> Copy() const override {
		return make_uniq<WrappedBindData>(function, bind_data ? bind_data->Copy() : nullptr, return_type);
	}
	bool Equals(const FunctionData &other_p) const override {
		auto &other = other_p.Cast<WrappedBindData>();
		return function == other.function && FunctionName(function) == FunctionName(other.function) &&
		       ArgumentsOf(function) == ArgumentsOf(other.function) &&
		       FunctionData::Equals(bind_data.get(), other.bind_data.get());
	}
};

const BoundAggregateFunction &Unwrap(const BoundAggregateFunction &function) {
	return function.GetExtraFunctionInfo().Cast<WrappedFunction>().function;
}

WrappedBindData &Unwrap(AggregateInputData &input) {
	return input.bind_data->Cast<WrappedBindData>();
}

AggregateInputData InnerInput(AggregateInputData &input) {
	auto &wrapped = Unwrap(input);
	return InputFor(wrapped.function, wrapped.bind_data.get(), input);
}

//! 1.5 gives no bind data, but none of the functions needs it for the size of its state
const FunctionData *InnerData(const FunctionData *bind_data) {
	return bind_data ? bind_data->Cast<WrappedBindData>().bind_data.get() : nullptr;
}

idx_t StateSize(const BoundAggregateFunction &function, const FunctionData *bind_data) {
	return StateSizeOf(Unwrap(function), InnerData(bind_data));
}

void Initialize(const BoundAggregateFunction &function, const FunctionData *bind_data, data_ptr_t state) {
	InitializeState(Unwrap(function), InnerData(bind_data), state);
}

void Combine(Vector &source, Vector &target, AggregateInputData &input, idx_t count) {
	auto inner = InnerInput(input);
	Unwrap(input).function.GetStateCombineCallback()(source, target, inner, count);
}

void PartialUpdate(Vector inputs[], AggregateInputData &input, idx_t input_count, Vector &states, idx_t count) {
	auto inner = InnerInput(input);
	Unwrap(input).function.GetStateUpdateCallback()(inputs, inner, input_count, states, count);
}

void PartialSimpleUpdate(Vector inputs[], AggregateInputData &input, idx_t input_count, data_ptr_t state, idx_t count) {
	auto inner = InnerInput(input);
	SimpleUpdate(Unwrap(input).function, inputs, inner, input_count, state, count);
}

void PartialFinalize(Vector &states, AggregateFinalizeInput &input, Vector &result, idx_t count, idx_t offset) {
	auto state_size = Unwrap(input).state_size;
	UnifiedVectorFormat format;
	states.ToUnifiedFormat(count, format);
	auto pointers = UnifiedVectorFormat::GetData<data_ptr_t>(format);
	if (states.GetVectorType() == VectorType::CONSTANT_VECTOR) {
		result.SetVectorType(VectorType::CONSTANT_VECTOR);
		auto bytes = const_char_ptr_cast(pointers[format.sel->get_index(0)]);
		*ConstantVector::GetData<string_t>(result) = StringVector::AddStringOrBlob(result, bytes, state_size);
		return;
	}
	result.SetVectorType(VectorType::FLAT_VECTOR);
	auto blobs = FlatVector::GetDataMutable<string_t>(result);
	for (idx_t i = 0; i < count; i++) {
		auto bytes = const_char_ptr_cast(pointers[format.sel->get_index(i)]);
		blobs[i + offset] = StringVector::AddStringOrBlob(result, bytes, state_size);
	}
}

//! A state is numbers, of which only one kind is used as an index: the registers of a HyperLogLog, all there is in the
//! state of approx_count_distinct.
void CheckState(const BoundAggregateFunction &function, const_data_ptr_t state, idx_t size) {
	if (FunctionName(function) != "approx_count_distinct") {
		return;
	}
	auto too_large = [](data_t zeros) { return zeros > HyperLogLog::Q + 1; };
	if (std::any_of(state, state + size, too_large)) {
		throw InvalidInputException("Aggregate state of %s with a register that is none", FunctionName(function));
	}
}

//! Copies states out of BLOBs into aligned memory, in slices of a vector
void CombineStates(Vector &blobs, AggregateInputData &input, idx_t count,
                   const std::function<data_ptr_t(idx_t)> &target_of) {
	auto &wrapped = Unwrap(input);
	auto inner = InnerInput(input);
	auto stride = AlignValue<idx_t>(wrapped.state_size);
	auto memory = make_unsafe_uniq_array_uninitialized<data_t>(stride * MinValue<idx_t>(count, STANDARD_VECTOR_SIZE));

	UnifiedVectorFormat format;
	blobs.ToUnifiedFormat(count, format);
	auto data = UnifiedVectorFormat::GetData<string_t>(format);
	Vector sources(LogicalType::POINTER);
	Vector targets(LogicalType::POINTER);
	auto source_pointers = FlatVector::GetDataMutable<data_ptr_t>(sources);
	auto target_pointers = FlatVector::GetDataMutable<data_ptr_t>(targets);
	idx_t pending = 0;
	auto flush = [&]() {
		if (pending > 0) {
			FlatVector::SetSize(sources, pending);
			FlatVector::SetSize(targets, pending);
			wrapped.function.GetStateCombineCallback()(sources, targets, inner, pending);
			pending = 0;
		}
	};
	for (idx_t i = 0; i < count; i++) {
		auto index = format.sel->get_index(i);
		if (!format.validity.RowIsValid(index)) {
			continue;
		}
		auto &blob = data[index];
		if (blob.GetSize() != wrapped.state_size) {
			throw InvalidInputException("Aggregate state of %s has %llu bytes instead of %llu: the nodes run different "
			                            "builds of DuckDB",
			                            FunctionName(wrapped.function), blob.GetSize(), wrapped.state_size);
		}
		CheckState(wrapped.function, const_data_ptr_cast(blob.GetData()), wrapped.state_size);
		auto copy = memory.get() + pending * stride;
		memcpy(copy, blob.GetData(), wrapped.state_size);
		source_pointers[pending] = copy;
		target_pointers[pending] = target_of(i);
		if (++pending == STANDARD_VECTOR_SIZE) {
			flush();
		}
	}
	flush();
}

void FinalUpdate(Vector inputs[], AggregateInputData &input, idx_t, Vector &states, idx_t count) {
	UnifiedVectorFormat format;
	states.ToUnifiedFormat(count, format);
	auto pointers = UnifiedVectorFormat::GetData<data_ptr_t>(format);
	CombineStates(inputs[0], input, count, [&](idx_t i) { return pointers[format.sel->get_index(i)]; });
}

void FinalSimpleUpdate(Vector inputs[], AggregateInputData &input, idx_t, data_ptr_t state, idx_t count) {
	CombineStates(inputs[0], input, count, [&](idx_t) { return state; });
}

void FinalFinalize(Vector &states, AggregateFinalizeInput &input, Vector &result, idx_t count, idx_t offset) {
	auto &wrapped = Unwrap(input);
	auto inner = FinalizeInputFor(wrapped.function, wrapped.bind_data.get(), input);
	wrapped.function.GetStateFinalizeCallback()(states, inner, result, count, offset);
}

void SerializeWrapped(Serializer &serializer, const optional_ptr<FunctionData> bind_data,
                      const BoundAggregateFunction &) {
	auto &wrapped = bind_data->Cast<WrappedBindData>();
	serializer.WriteProperty(600, "arguments", ArgumentsToBindBy(wrapped.function));
	serializer.WriteProperty(601, "return_type", wrapped.return_type);
	serializer.WriteObject(602, "function", [&](Serializer &object) {
		FunctionSerializer::Serialize(object, wrapped.function, wrapped.bind_data.get());
	});
}

unique_ptr<FunctionData> DeserializeWrapped(Deserializer &deserializer, BoundAggregateFunction &function);

[[noreturn]] void RefuseCall(const string &name) {
	throw BinderException("%s is internal to Duckherder and cannot be called", name);
}

//! Sets everything that the two forms share; `function` has its name already
unique_ptr<FunctionData> Wrap(BoundAggregateFunction &function, BoundAggregateFunction inner,
                              unique_ptr<FunctionData> bind_data, const LogicalType &return_type) {
	auto partial = FunctionName(function) == PARTIAL_AGGREGATE_NAME;
	SetStateCallbacks<StateSize, Initialize>(function);
	function.SetStateCombineCallback(Combine);
	function.SetStateDestructorCallback(nullptr);
	RefuseCalls<RefuseCall>(function);
	function.SetSerializeCallback(SerializeWrapped);
	function.SetDeserializeCallback(DeserializeWrapped);
	function.SetOrderDependent(inner.GetOrderDependent());
	function.SetDistinctDependent(inner.GetDistinctDependent());
	function.SetNullHandling(FunctionNullHandling::SPECIAL_HANDLING);
	if (partial) {
		ArgumentsOf(function) = ArgumentsOf(inner);
		function.SetReturnType(LogicalType::BLOB);
		function.SetStateUpdateCallback(PartialUpdate);
		SetSimpleUpdate<PartialSimpleUpdate>(function, HasSimpleUpdate(inner));
		function.SetStateFinalizeCallback(PartialFinalize);
		function.SetNullHandling(inner.GetNullHandling());
	} else {
		ArgumentsOf(function) = {LogicalType::BLOB};
		function.SetReturnType(return_type);
		function.SetStateUpdateCallback(FinalUpdate);
		SetSimpleUpdate<FinalSimpleUpdate>(function, true);
		function.SetStateFinalizeCallback(FinalFinalize);
	}
	SetNoMoreArguments(function);
	function.SetExtraFunctionInfo(make_shared_ptr<WrappedFunction>(inner));
	return make_uniq<WrappedBindData>(std::move(inner), std::move(bind_data), return_type);
}

AggregateFunction EmptyForm(const string &name) {
	auto function = NewAggregate(name);
	RefuseCalls<RefuseCall>(function);
	function.SetSerializeCallback(SerializeWrapped);
	function.SetDeserializeCallback(DeserializeWrapped);
	return function;
}

unique_ptr<FunctionData> DeserializeWrapped(Deserializer &deserializer, BoundAggregateFunction &function) {
	auto arguments = deserializer.ReadProperty<vector<LogicalType>>(600, "arguments");
	auto return_type = deserializer.ReadProperty<LogicalType>(601, "return_type");
	//! Stand-ins: binding again needs the types of the arguments, not their values
	vector<unique_ptr<Expression>> children;
	for (idx_t i = 0; i < arguments.size(); i++) {
		children.push_back(make_uniq<BoundReferenceExpression>(arguments[i], i));
	}
	unique_ptr<FunctionData> result;
	deserializer.ReadObject(602, "function", [&](Deserializer &object) {
		auto entry = FunctionSerializer::Deserialize<BoundAggregateFunction, AggregateFunctionCatalogEntry>(
		    object, CatalogType::AGGREGATE_FUNCTION_ENTRY, children, return_type);
		result = Wrap(function, std::move(entry.first), std::move(entry.second), return_type);
	});
	return result;
}

unique_ptr<BoundAggregateExpression> MakeForm(const BoundAggregateExpression &aggregate, const string &name,
                                              vector<unique_ptr<Expression>> children, unique_ptr<Expression> filter) {
	BoundAggregateFunction function(EmptyForm(name));
	auto bind_data = Wrap(function, aggregate.Function(), aggregate.BindInfo() ? aggregate.BindInfo()->Copy() : nullptr,
	                      aggregate.GetReturnType());
	auto result = make_uniq<BoundAggregateExpression>(std::move(function), std::move(children), std::move(filter),
	                                                  std::move(bind_data), AggregateType::NON_DISTINCT);
	result->SetAlias(aggregate.GetAlias());
	return result;
}

} // namespace

bool HasPlainState(const BoundAggregateExpression &aggregate) {
	static const std::unordered_set<string> names = {
	    "count",          "count_star",  "sum",          "sum_no_overflow", "avg",       "mean",
	    "favg",           "fsum",        "sumkahan",     "kahan_sum",       "product",   "stddev",
	    "stddev_pop",     "stddev_samp", "variance",     "var_pop",         "var_samp",  "sem",
	    "covar_pop",      "covar_samp",  "corr",         "regr_avgx",       "regr_avgy", "regr_count",
	    "regr_intercept", "regr_r2",     "regr_slope",   "regr_sxx",        "regr_sxy",  "regr_syy",
	    "skewness",       "kurtosis",    "kurtosis_pop", "bool_and",        "bool_or",   "approx_count_distinct",
	    "count_if",       "countif"};
	auto &function = aggregate.Function();
	if (IsExportedState(aggregate.GetReturnType())) {
		return false;
	}
	if (!TypeIsConstantSize(aggregate.GetReturnType().InternalType())) {
		// sum(BIGNUM): its state points to digits elsewhere, although it has no destructor
		return false;
	}
	return names.count(FunctionName(function)) > 0 && !function.HasStateDestructorCallback() &&
	       function.HasStateCombineCallback() && function.HasStateFinalizeCallback() &&
	       function.HasStateUpdateCallback() && function.HasStateSizeCallback() &&
	       (CatalogOf(function).empty() || CatalogOf(function) == "system");
}

unique_ptr<BoundAggregateExpression> MakePartial(const BoundAggregateExpression &aggregate) {
	vector<unique_ptr<Expression>> children;
	for (auto &child : aggregate.GetChildren()) {
		children.push_back(child->Copy());
	}
	return MakeForm(aggregate, PARTIAL_AGGREGATE_NAME, std::move(children),
	                aggregate.GetFilter() ? aggregate.GetFilter()->Copy() : nullptr);
}

unique_ptr<BoundAggregateExpression> MakeFinal(const BoundAggregateExpression &aggregate,
                                               unique_ptr<Expression> state) {
	vector<unique_ptr<Expression>> children;
	children.push_back(std::move(state));
	return MakeForm(aggregate, FINAL_AGGREGATE_NAME, std::move(children), nullptr);
}

string OriginalName(const BoundAggregateExpression &aggregate) {
	auto &name = FunctionName(aggregate.Function());
	if (name != PARTIAL_AGGREGATE_NAME && name != FINAL_AGGREGATE_NAME) {
		return name;
	}
	return FunctionName(aggregate.BindInfo()->Cast<WrappedBindData>().function);
}

void RegisterAggregateStateFunctions(DatabaseInstance &db) {
	ExtensionLoader loader(db, "duckherder");
	for (auto name : {PARTIAL_AGGREGATE_NAME, FINAL_AGGREGATE_NAME}) {
		CreateAggregateFunctionInfo info(EmptyForm(name));
		info.on_conflict = OnCreateConflict::ALTER_ON_CONFLICT;
		info.descriptions.push_back(DescribeInternal());
		loader.RegisterFunction(std::move(info));
	}
}

} // namespace duckherder
