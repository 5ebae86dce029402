#pragma once

#include "compat/names.hpp"

#include "duckdb/function/function_serialization.hpp"
#include "duckdb/planner/expression/bound_aggregate_expression.hpp"
#include "duckdb/planner/expression/bound_window_expression.hpp"

//! The callbacks of aggregate functions. They are written as 2.0 calls them.

namespace duckherder {

//! Whether an aggregate keeps the arguments that binding has read as constants
constexpr bool BINDING_KEEPS_CONSTANTS = DUCKHERDER_DUCKDB_MAJOR >= 2;

#if DUCKHERDER_DUCKDB_MAJOR < 2

using AggregateFinalizeInput = duckdb::AggregateInputData;

//! Null if the window function is no aggregate
inline const duckdb::unique_ptr<duckdb::AggregateFunction> &AggregateOf(const duckdb::BoundWindowExpression &window) {
	return window.aggregate;
}

inline duckdb::idx_t StateSizeOf(const duckdb::AggregateFunction &function, const duckdb::FunctionData *) {
	return function.state_size(function);
}

inline void InitializeState(const duckdb::AggregateFunction &function, const duckdb::FunctionData *,
                            duckdb::data_ptr_t state) {
	function.initialize(function, state);
}

inline duckdb::AggregateInputData InputFor(const duckdb::AggregateFunction &, duckdb::FunctionData *bind_data,
                                           duckdb::AggregateInputData &outer) {
	return duckdb::AggregateInputData(bind_data, outer.allocator, outer.combine_type);
}

inline duckdb::AggregateInputData FinalizeInputFor(const duckdb::AggregateFunction &function,
                                                   duckdb::FunctionData *bind_data, duckdb::AggregateInputData &outer) {
	return InputFor(function, bind_data, outer);
}

//! The callbacks `SIZE(function, bind data)` and `INITIALIZE(function, bind data, state)`
template <auto SIZE, auto INITIALIZE>
void SetStateCallbacks(duckdb::AggregateFunction &function) {
	function.SetStateSizeCallback([](const duckdb::AggregateFunction &self) { return SIZE(self, nullptr); });
	function.SetStateInitCallback(
	    [](const duckdb::AggregateFunction &self, duckdb::data_ptr_t state) { INITIALIZE(self, nullptr, state); });
}

//! A function that nobody may call by its name
template <auto REFUSE>
void RefuseCalls(duckdb::AggregateFunction &function) {
	function.SetBindCallback(
	    [](duckdb::ClientContext &, duckdb::AggregateFunction &self,
	       duckdb::vector<duckdb::unique_ptr<duckdb::Expression>> &) -> duckdb::unique_ptr<duckdb::FunctionData> {
		    REFUSE(FunctionName(self));
		    return nullptr;
	    });
}

inline duckdb::AggregateFunction NewAggregate(const std::string &name) {
	using duckdb::AggregateFunction;
	AggregateFunction function(name, {}, duckdb::LogicalType::BLOB, nullptr, nullptr, nullptr, nullptr, nullptr,
	                           duckdb::FunctionNullHandling::DEFAULT_NULL_HANDLING, nullptr);
	function.varargs = duckdb::LogicalType::ANY;
	return function;
}

inline duckdb::vector<duckdb::LogicalType> &ArgumentsOf(duckdb::AggregateFunction &function) {
	return function.arguments;
}

inline const duckdb::vector<duckdb::LogicalType> &ArgumentsOf(const duckdb::AggregateFunction &function) {
	return function.arguments;
}

//! Of the arguments by which the function is bound to the same again. What carries it out may take others, as sums of
//! DECIMAL are sums of integers.
inline const duckdb::vector<duckdb::LogicalType> &ArgumentsToBindBy(const duckdb::AggregateFunction &function) {
	return function.arguments;
}

//! After its arguments were set: it takes those, and no more
inline void SetNoMoreArguments(duckdb::AggregateFunction &function) {
	function.varargs = duckdb::LogicalType(duckdb::LogicalTypeId::INVALID);
}

template <auto UPDATE>
void SetSimpleUpdate(duckdb::AggregateFunction &function, bool has) {
	function.SetStateSimpleUpdateCallback(has ? UPDATE : nullptr);
}

inline void SimpleUpdate(const duckdb::AggregateFunction &function, duckdb::Vector inputs[],
                         duckdb::AggregateInputData &input, duckdb::idx_t input_count, duckdb::data_ptr_t state,
                         duckdb::idx_t count) {
	function.simple_update(inputs, input, input_count, state, count);
}

inline bool HasSimpleUpdate(const duckdb::AggregateFunction &function) {
	return function.HasStateSimpleUpdateCallback();
}

#else

using AggregateFinalizeInput = duckdb::AggregateFinalizeInputData;

inline const duckdb::unique_ptr<duckdb::BoundAggregateFunction> &
AggregateOf(const duckdb::BoundWindowExpression &window) {
	return window.AggregateFunction();
}

inline duckdb::idx_t StateSizeOf(const duckdb::BoundAggregateFunction &function,
                                 const duckdb::FunctionData *bind_data) {
	return function.GetStateSize(bind_data);
}

inline void InitializeState(const duckdb::BoundAggregateFunction &function, const duckdb::FunctionData *bind_data,
                            duckdb::data_ptr_t state) {
	duckdb::AggregateStateInput input(function, bind_data);
	function.GetStateInitCallback()(input, &state, 1);
}

inline duckdb::AggregateInputData InputFor(const duckdb::BoundAggregateFunction &function,
                                           duckdb::FunctionData *bind_data, duckdb::AggregateInputData &outer) {
	return duckdb::AggregateInputData(function, bind_data, outer.allocator, outer.combine_type);
}

inline duckdb::AggregateFinalizeInputData FinalizeInputFor(const duckdb::BoundAggregateFunction &function,
                                                           duckdb::FunctionData *bind_data,
                                                           duckdb::AggregateFinalizeInputData &outer) {
	return duckdb::AggregateFinalizeInputData(function, bind_data, outer.allocator);
}

template <auto SIZE, auto INITIALIZE>
void SetStateCallbacks(duckdb::BaseAggregateFunction &function) {
	function.SetStateSizeCallback(
	    [](duckdb::AggregateStateInput &input) { return SIZE(input.function, input.bind_data.get()); });
	function.SetStateInitCallback(
	    [](duckdb::AggregateStateInput &input, duckdb::data_ptr_t *states, duckdb::idx_t count) {
		    for (duckdb::idx_t i = 0; i < count; i++) {
			    INITIALIZE(input.function, input.bind_data.get(), states[i]);
		    }
	    });
}

template <auto REFUSE>
void RefuseCalls(duckdb::BaseAggregateFunction &function) {
	function.SetBindCallback([](duckdb::BindAggregateFunctionInput &input) -> duckdb::unique_ptr<duckdb::FunctionData> {
		REFUSE(FunctionName(input.GetBoundFunction()));
		return nullptr;
	});
}

inline duckdb::AggregateFunction NewAggregate(const std::string &name) {
	duckdb::AggregateFunction function(duckdb::Identifier(name), {}, duckdb::LogicalType::BLOB, nullptr, nullptr,
	                                   nullptr, nullptr, nullptr, duckdb::FunctionNullHandling::DEFAULT_NULL_HANDLING);
	function.GetSignature().AddArgs("args", duckdb::LogicalType::ANY);
	return function;
}

inline duckdb::vector<duckdb::LogicalType> &ArgumentsOf(duckdb::BoundAggregateFunction &function) {
	return function.GetArguments();
}

inline const duckdb::vector<duckdb::LogicalType> &ArgumentsOf(const duckdb::BoundAggregateFunction &function) {
	return function.GetArguments();
}

inline duckdb::vector<duckdb::LogicalType> ArgumentsToBindBy(const duckdb::BoundAggregateFunction &function) {
	auto result = function.GetLogicalArguments();
	for (duckdb::idx_t i = 0; i < result.size() && i < function.GetArguments().size(); i++) {
		if (!result[i].IsComplete()) {
			result[i] = function.GetArguments()[i];
		}
	}
	return result;
}

//! A bound function takes what it was bound to
inline void SetNoMoreArguments(duckdb::BoundAggregateFunction &function) {
	function.SetNamedArguments(function.GetArguments().size(), {});
}

//! 2.0 updates one state by a vector of the same pointer
template <auto UPDATE>
void SetSimpleUpdate(duckdb::BaseAggregateFunction &, bool) {
}

inline bool HasSimpleUpdate(const duckdb::BaseAggregateFunction &) {
	return false;
}

inline void SimpleUpdate(const duckdb::BoundAggregateFunction &, duckdb::Vector[], duckdb::AggregateInputData &,
                         duckdb::idx_t, duckdb::data_ptr_t, duckdb::idx_t) {
	throw duckdb::InternalException("DuckDB 2.0 has no simple update of aggregates");
}

#endif

} // namespace duckherder
