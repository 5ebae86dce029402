#pragma once

#include "duckdb.hpp"
#include "duckdb/planner/logical_operator.hpp"

#include <functional>
#include <string>

namespace duckherder {

//! A part of an optimized plan as bytes. `plan` must be as the optimizer hook gets it, with unresolved bindings: what
//! has seen the column binding resolver (ExtractPlan does that) cannot be planned again.
//! Estimated cardinalities and the statistics of groups and join keys travel too; links between joins and the scans
//! that they filter do not. Throws SerializationException or NotImplementedException if something does not travel.
std::string EncodeFragment(duckdb::ClientContext &context, const duckdb::LogicalOperator &plan);

//! The plan again, types resolved; it is optimized already. Functions and tables are looked up by name, and functions
//! that cannot be serialized are bound again: a transaction must be active. Throws SerializationException if the bytes
//! are not a fragment, or what the look-ups and binds throw.
//! `check` as in CheckedDeserializer; what it throws is thrown.
duckdb::unique_ptr<duckdb::LogicalOperator>
DecodeFragment(duckdb::ClientContext &context, const std::string &bytes,
               std::function<void(const std::string &name, bool bound)> check = nullptr);

//! Of all operators of the plan: operators that are added take numbers above it
duckdb::idx_t LargestTableIndex(duckdb::LogicalOperator &op);

} // namespace duckherder
