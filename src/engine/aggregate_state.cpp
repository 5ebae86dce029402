#include "engine/aggregate_state.hpp"

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
	explicit WrappedFunction(AggregateFunction function_p) : function(std::move(function_p)) {
	}
	AggregateFunction function;
};

//! The wrapped function and its bind data, for the callbacks that are given bind data but no function
struct WrappedBindData : public FunctionData {
	WrappedBindData(AggregateFunction function_p, unique_ptr<FunctionData> bind_data_p, LogicalType return_type_p)
	    : function(std::move(function_p)), bind_data(std::move(bind_data_p)), return_type(std::move(return_type_p)),
	      state_size(function.state_size(function)) {
	}
	AggregateFunction function;
	unique_ptr<FunctionData> bind_data;
	//! Of the expression. The optimizer may have exchanged the function (SUM of DECIMAL by one of HUGEINT) under it.
	LogicalType return_type;
	idx_t state_size;

	unique_ptr<FunctionData> Copy() const override {
		return make_uniq<WrappedBindData>(function, bind_data ? bind_data->Copy() : nullptr, return_type);
	}
	bool Equals(const FunctionData &other_p) const override {
		auto &other = other_p.Cast<WrappedBindData>();
		return function == other.function && function.name == other.function.name &&
		       function.arguments == other.function.arguments &&
		       FunctionData::Equals(bind_data.get(), other.bind_data.get());
	}
};

const AggregateFunction &Unwrap(const AggregateFunction &function) {
	return function.function_info->Cast<WrappedFunction>().function;
}

WrappedBindData &Unwrap(AggregateInputData &input) {
	return input.bind_data->Cast<WrappedBindData>();
}

AggregateInputData InnerInput(AggregateInputData &input) {
	return AggregateInputData(Unwrap(input).bind_data.get(), input.allocator, input.combine_type);
}

idx_t StateSize(const AggregateFunction &function) {
	auto &inner = Unwrap(function);
	return inner.state_size(inner);
}

void Initialize(const AggregateFunction &function, data_ptr_t state) {
	auto &inner = Unwrap(function);
	inner.initialize(inner, state);
}

void Combine(Vector &source, Vector &target, AggregateInputData &input, idx_t count) {
	auto inner = InnerInput(input);
	Unwrap(input).function.combine(source, target, inner, count);
}

void PartialUpdate(Vector inputs[], AggregateInputData &input, idx_t input_count, Vector &states, idx_t count) {
	auto inner = InnerInput(input);
	Unwrap(input).function.update(inputs, inner, input_count, states, count);
}

void PartialSimpleUpdate(Vector inputs[], AggregateInputData &input, idx_t input_count, data_ptr_t state, idx_t count) {
	auto inner = InnerInput(input);
	Unwrap(input).function.simple_update(inputs, inner, input_count, state, count);
}

void PartialFinalize(Vector &states, AggregateInputData &input, Vector &result, idx_t count, idx_t offset) {
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
	auto blobs = FlatVector::GetData<string_t>(result);
	for (idx_t i = 0; i < count; i++) {
		auto bytes = const_char_ptr_cast(pointers[format.sel->get_index(i)]);
		blobs[i + offset] = StringVector::AddStringOrBlob(result, bytes, state_size);
	}
}

//! A state is numbers, of which only one kind is used as an index: the registers of a HyperLogLog, all there is in the
//! state of approx_count_distinct.
void CheckState(const AggregateFunction &function, const_data_ptr_t state, idx_t size) {
	if (function.name != "approx_count_distinct") {
		return;
	}
	auto too_large = [](data_t zeros) { return zeros > HyperLogLog::Q + 1; };
	if (std::any_of(state, state + size, too_large)) {
		throw InvalidInputException("Aggregate state of %s with a register that is none", function.name);
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
	auto source_pointers = FlatVector::GetData<data_ptr_t>(sources);
	auto target_pointers = FlatVector::GetData<data_ptr_t>(targets);
	idx_t pending = 0;
	auto flush = [&]() {
		if (pending > 0) {
			wrapped.function.combine(sources, targets, inner, pending);
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
			                            wrapped.function.name, blob.GetSize(), wrapped.state_size);
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

void FinalFinalize(Vector &states, AggregateInputData &input, Vector &result, idx_t count, idx_t offset) {
	auto inner = InnerInput(input);
	Unwrap(input).function.finalize(states, inner, result, count, offset);
}

void SerializeWrapped(Serializer &serializer, const optional_ptr<FunctionData> bind_data, const AggregateFunction &) {
	auto &wrapped = bind_data->Cast<WrappedBindData>();
	serializer.WriteProperty(600, "arguments", wrapped.function.arguments);
	serializer.WriteProperty(601, "return_type", wrapped.return_type);
	serializer.WriteObject(602, "function", [&](Serializer &object) {
		FunctionSerializer::Serialize(object, wrapped.function, wrapped.bind_data.get());
	});
}

unique_ptr<FunctionData> DeserializeWrapped(Deserializer &deserializer, AggregateFunction &function);

unique_ptr<FunctionData> RefuseBind(ClientContext &, AggregateFunction &function, vector<unique_ptr<Expression>> &) {
	throw BinderException("%s is internal to Duckherder and cannot be called", function.name);
}

//! Sets everything that the two forms share; `function` has its name already
unique_ptr<FunctionData> Wrap(AggregateFunction &function, AggregateFunction inner, unique_ptr<FunctionData> bind_data,
                              const LogicalType &return_type) {
	auto partial = function.name == PARTIAL_AGGREGATE_NAME;
	function.state_size = StateSize;
	function.initialize = Initialize;
	function.combine = Combine;
	function.destructor = nullptr;
	function.bind = RefuseBind;
	function.serialize = SerializeWrapped;
	function.deserialize = DeserializeWrapped;
	function.order_dependent = inner.order_dependent;
	function.distinct_dependent = inner.distinct_dependent;
	function.SetNullHandling(FunctionNullHandling::SPECIAL_HANDLING);
	if (partial) {
		function.arguments = inner.arguments;
		function.SetReturnType(LogicalType::BLOB);
		function.update = PartialUpdate;
		function.simple_update = inner.simple_update ? PartialSimpleUpdate : nullptr;
		function.finalize = PartialFinalize;
		function.SetNullHandling(inner.GetNullHandling());
	} else {
		function.arguments = {LogicalType::BLOB};
		function.SetReturnType(return_type);
		function.update = FinalUpdate;
		function.simple_update = FinalSimpleUpdate;
		function.finalize = FinalFinalize;
	}
	function.varargs = LogicalType(LogicalTypeId::INVALID);
	function.function_info = make_shared_ptr<WrappedFunction>(inner);
	return make_uniq<WrappedBindData>(std::move(inner), std::move(bind_data), return_type);
}

AggregateFunction EmptyForm(const string &name) {
	AggregateFunction function(name, {}, LogicalType::BLOB, nullptr, nullptr, nullptr, nullptr, nullptr,
	                           FunctionNullHandling::DEFAULT_NULL_HANDLING, nullptr);
	function.varargs = LogicalType::ANY;
	function.bind = RefuseBind;
	function.serialize = SerializeWrapped;
	function.deserialize = DeserializeWrapped;
	return function;
}

unique_ptr<FunctionData> DeserializeWrapped(Deserializer &deserializer, AggregateFunction &function) {
	auto arguments = deserializer.ReadProperty<vector<LogicalType>>(600, "arguments");
	auto return_type = deserializer.ReadProperty<LogicalType>(601, "return_type");
	//! Stand-ins: binding again needs the types of the arguments, not their values
	vector<unique_ptr<Expression>> children;
	for (idx_t i = 0; i < arguments.size(); i++) {
		children.push_back(make_uniq<BoundReferenceExpression>(arguments[i], i));
	}
	unique_ptr<FunctionData> result;
	deserializer.ReadObject(602, "function", [&](Deserializer &object) {
		auto entry = FunctionSerializer::Deserialize<AggregateFunction, AggregateFunctionCatalogEntry>(
		    object, CatalogType::AGGREGATE_FUNCTION_ENTRY, children, return_type);
		result = Wrap(function, std::move(entry.first), std::move(entry.second), return_type);
	});
	return result;
}

unique_ptr<BoundAggregateExpression> MakeForm(const BoundAggregateExpression &aggregate, const string &name,
                                              vector<unique_ptr<Expression>> children, unique_ptr<Expression> filter) {
	auto function = EmptyForm(name);
	auto bind_data = Wrap(function, aggregate.function, aggregate.bind_info ? aggregate.bind_info->Copy() : nullptr,
	                      aggregate.return_type);
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
	auto &function = aggregate.function;
	if (!TypeIsConstantSize(aggregate.return_type.InternalType())) {
		// sum(BIGNUM): its state points to digits elsewhere, although it has no destructor
		return false;
	}
	return names.count(function.name) > 0 && !function.destructor && function.combine && function.finalize &&
	       function.update && function.state_size &&
	       (function.catalog_name.empty() || function.catalog_name == "system");
}

unique_ptr<BoundAggregateExpression> MakePartial(const BoundAggregateExpression &aggregate) {
	vector<unique_ptr<Expression>> children;
	for (auto &child : aggregate.children) {
		children.push_back(child->Copy());
	}
	return MakeForm(aggregate, PARTIAL_AGGREGATE_NAME, std::move(children),
	                aggregate.filter ? aggregate.filter->Copy() : nullptr);
}

unique_ptr<BoundAggregateExpression> MakeFinal(const BoundAggregateExpression &aggregate,
                                               unique_ptr<Expression> state) {
	vector<unique_ptr<Expression>> children;
	children.push_back(std::move(state));
	return MakeForm(aggregate, FINAL_AGGREGATE_NAME, std::move(children), nullptr);
}

string OriginalName(const BoundAggregateExpression &aggregate) {
	auto &name = aggregate.function.name;
	if (name != PARTIAL_AGGREGATE_NAME && name != FINAL_AGGREGATE_NAME) {
		return name;
	}
	return aggregate.bind_info->Cast<WrappedBindData>().function.name;
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
