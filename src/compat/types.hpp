#pragma once

#include "duckdb/common/types.hpp"

#if DUCKHERDER_DUCKDB_MAJOR < 2
#include "duckdb/common/extra_type_info.hpp"
#endif

//! Names of types that differ between versions of DuckDB

#if DUCKHERDER_DUCKDB_MAJOR < 2

namespace duckdb {

using LogicalTypeInfoType = ExtraTypeInfoType;

} // namespace duckdb

namespace duckherder {

constexpr auto AGGREGATE_STATE_ID = duckdb::LogicalTypeId::AGGREGATE_STATE;
constexpr auto AGGREGATE_STATE_INFO = duckdb::ExtraTypeInfoType::AGGREGATE_STATE_TYPE_INFO;

//! A STRUCT whose fields have no names is a type of its own since 2.0
inline bool IsTuple(duckdb::LogicalTypeId) {
	return false;
}

constexpr bool HAS_EMPTY_STRUCTS = false;
constexpr bool EXPORTED_STATES_TRAVEL = false;

//! As an aggregate returns it that exports its state
inline bool IsExportedState(const duckdb::LogicalType &type) {
	return type.id() == AGGREGATE_STATE_ID;
}

} // namespace duckherder

#else

namespace duckherder {

//! What 1.5 exports as the state of an aggregate. In 2.0 states are structs that say so of themselves.
constexpr auto AGGREGATE_STATE_ID = duckdb::LogicalTypeId::LEGACY_AGGREGATE_STATE;
constexpr auto AGGREGATE_STATE_INFO = duckdb::LogicalTypeInfoType::LEGACY_AGGREGATE_STATE_TYPE_INFO;

inline bool IsTuple(duckdb::LogicalTypeId id) {
	return id == duckdb::LogicalTypeId::TUPLE;
}

constexpr bool HAS_EMPTY_STRUCTS = true;
//! Exported states of aggregates are structs like others, whose type says which aggregate they are of.
constexpr bool EXPORTED_STATES_TRAVEL = true;

inline bool IsExportedState(const duckdb::LogicalType &type) {
	return type.id() == AGGREGATE_STATE_ID || type.IsAggregateState();
}

} // namespace duckherder

#endif
