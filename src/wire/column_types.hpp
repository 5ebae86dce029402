#pragma once

#include "duckdb.hpp"

namespace duckherder {

//! Whether only plans contain types with this id: those that the binder has not decided yet, and VALIDITY, which is
//! storage's own. Neither a message nor a chunk has columns of them.
inline bool OnlyInPlans(duckdb::LogicalTypeId id) {
	switch (id) {
	case duckdb::LogicalTypeId::INVALID:
	case duckdb::LogicalTypeId::UNKNOWN:
	case duckdb::LogicalTypeId::ANY:
	case duckdb::LogicalTypeId::UNBOUND:
	case duckdb::LogicalTypeId::TEMPLATE:
	case duckdb::LogicalTypeId::STRING_LITERAL:
	case duckdb::LogicalTypeId::INTEGER_LITERAL:
	case duckdb::LogicalTypeId::VALIDITY:
	case duckdb::LogicalTypeId::TABLE:
	case duckdb::LogicalTypeId::LAMBDA:
		return true;
	default:
		return false;
	}
}

} // namespace duckherder
