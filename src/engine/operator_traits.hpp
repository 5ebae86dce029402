#pragma once

#include "duckdb.hpp"
#include "duckdb/common/enums/logical_operator_type.hpp"

#include <cstdint>

namespace duckherder {

//! What an operator does to the database, as far as its kind says
enum class OperatorEffect : uint8_t {
	OTHER,        //! nobody has said that clients may do it
	QUERIES,      //! it makes rows from rows
	CHANGES_ROWS, //! of tables, with what clients push down to a driver
	DEFINES,      //! it changes the catalog
	OF_SESSION    //! it stays within the session, or only shows a plan
};

struct OperatorTraits {
	OperatorEffect effect = OperatorEffect::OTHER;
	//! Tasks can run it; a delim join once its source is shared
	bool on_worker = false;
	//! A client can send it to the driver whose tables it reads or writes
	bool at_site = false;
};

//! Allow-lists: an operator that a later DuckDB adds may do nothing until somebody has looked at it.
OperatorTraits TraitsOf(duckdb::LogicalOperatorType type);

} // namespace duckherder
