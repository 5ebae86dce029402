#pragma once

#include "compat/names.hpp"

#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/function/table_function.hpp"

#if DUCKHERDER_DUCKDB_MAJOR >= 2
#include "duckdb/main/profiler/profiling_node.hpp"
#endif

#include <string>

//! Functions of ours as DuckDB registers them, and their callbacks

namespace duckherder {

#if DUCKHERDER_DUCKDB_MAJOR < 2

//! Changes each overload of a function in the catalog: `change(function)`
template <class SET, class CHANGE>
void ChangeOverloads(SET &set, CHANGE &&change) {
	for (auto &function : set.functions) {
		change(function);
	}
}

//! An argument that a call gives by its name, or leaves out
inline void AddNamedArgument(duckdb::TableFunction &function, const std::string &name, duckdb::LogicalType type) {
	function.named_parameters[name] = std::move(type);
}

//! 2.0 has scans compute functions of columns, in bind data that do not travel.
inline void ComputeNothingInScan(duckdb::TableFunction &) {
}

//! As they are shown; 1.5 takes them from the description of the function.
inline void NameArguments(duckdb::ScalarFunction &, const duckdb::vector<std::string> &) {
}

//! A scalar function that looks at who binds it: `CHECK(context, function)`
template <auto CHECK>
void SetBindCheck(duckdb::ScalarFunction &function) {
	function.SetBindCallback(
	    [](duckdb::ClientContext &context, duckdb::ScalarFunction &bound,
	       duckdb::vector<duckdb::unique_ptr<duckdb::Expression>> &) -> duckdb::unique_ptr<duckdb::FunctionData> {
		    CHECK(context, bound);
		    return nullptr;
	    });
}

//! `TABLE(bind data)` is the table that the function scans
template <auto TABLE>
void SetScannedTable(duckdb::TableFunction &function) {
	function.get_bind_info = [](const duckdb::optional_ptr<duckdb::FunctionData> bind_data) {
		return duckdb::BindInfo(TABLE(*bind_data));
	};
}

//! What EXPLAIN ANALYZE shows of a scan besides what EXPLAIN does: `SHOW(global state)`, at its end
template <auto SHOW>
void SetShownAtEnd(duckdb::TableFunction &function) {
	function.dynamic_to_string = [](duckdb::TableFunctionDynamicToStringInput &input) {
		return SHOW(*input.global_state);
	};
}

#else

template <class SET, class CHANGE>
void ChangeOverloads(SET &set, CHANGE &&change) {
	set.ApplyToFunctions(change);
}

inline void AddNamedArgument(duckdb::TableFunction &function, const std::string &name, duckdb::LogicalType type) {
	auto add = [&](duckdb::TypedKwargs &options) { options.Add(duckdb::Identifier(name), std::move(type)); };
	auto &signature = function.GetSignature();
	if (signature.GetTypedKwargs()) {
		signature.ExtendTypedKwargs(add);
	} else {
		signature.WithTypedKwargs("options", add);
	}
}

inline void ComputeNothingInScan(duckdb::BoundTableFunction &function) {
	function.projection_expression_pushdown = nullptr;
}

inline void NameArguments(duckdb::ScalarFunction &function, const duckdb::vector<std::string> &names) {
	for (duckdb::idx_t i = 0; i < names.size(); i++) {
		function.GetSignature().GetParameter(i).SetName(duckdb::Identifier(names[i]));
	}
}

template <auto CHECK>
void SetBindCheck(duckdb::ScalarFunction &function) {
	function.SetBindCallback([](duckdb::BindScalarFunctionInput &input) -> duckdb::unique_ptr<duckdb::FunctionData> {
		CHECK(input.GetClientContext(), input.GetBoundFunction());
		return nullptr;
	});
}

template <auto TABLE>
void SetScannedTable(duckdb::TableFunction &function) {
	function.get_table_entry = [](duckdb::optional_ptr<const duckdb::FunctionData> bind_data)
	    -> duckdb::optional_ptr<duckdb::TableCatalogEntry> { return &TABLE(*bind_data); };
}

template <auto SHOW>
void SetShownAtEnd(duckdb::TableFunction &function) {
	function.get_metrics = [](duckdb::TableFunctionGetMetricsInput &input) {
		auto shown = input.operator_metrics.GetExtraInfo();
		for (auto &line : SHOW(*input.global_state)) {
			shown[line.first] = line.second;
		}
		input.operator_metrics.SetExtraInfo(std::move(shown));
	};
}

#endif

} // namespace duckherder
