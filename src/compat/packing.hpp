#pragma once

#include "compat/names.hpp"

#include "duckdb/common/string_util.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"

//! DuckDB's optimizer makes columns smaller below some operators, and larger again above them. The functions for that
//! have names of their own; 2.0 has a cast besides, which does either.

namespace duckherder {

enum class Packing { NONE, PACKS, UNPACKS };

inline Packing PackingOf(const duckdb::Expression &expression) {
	if (expression.GetExpressionClass() != duckdb::ExpressionClass::BOUND_FUNCTION) {
		return Packing::NONE;
	}
	auto &call = expression.Cast<duckdb::BoundFunctionExpression>();
	auto &name = FunctionName(call.Function());
	if (name == "__internal_compressed_materialization_cast") {
		auto from = duckdb::GetTypeIdSize(call.GetChildren()[0]->GetReturnType().InternalType());
		return duckdb::GetTypeIdSize(call.GetReturnType().InternalType()) < from ? Packing::PACKS : Packing::UNPACKS;
	}
	if (duckdb::StringUtil::StartsWith(name, "__internal_compress_")) {
		return Packing::PACKS;
	}
	return duckdb::StringUtil::StartsWith(name, "__internal_decompress_") ? Packing::UNPACKS : Packing::NONE;
}

} // namespace duckherder
