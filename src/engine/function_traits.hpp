#pragma once

#include <cstdint>
#include <string>

namespace duckherder {

//! As duckdb_functions() calls them
enum class FunctionKind : uint8_t { SCALAR, AGGREGATE, TABLE, PRAGMA, MACRO, TABLE_MACRO };

//! Why a function runs in the session. For a table function: why its rows stay in the session's plan, rather than that
//! tasks share them.
enum class SessionReason : uint8_t {
	ON_WORKER, //! it need not: its result is the same on a worker
	OF_CONTEXT,
	OF_SETTINGS,
	OF_VARIABLES,
	OF_CATALOG,
	OF_PARSER,
	OF_LOGS,
	OF_PROCESS,
	OF_SESSION,
	OF_SEED,
	OF_LAYOUT,
	OF_STATES,
	OF_EXTENSION,
	OWN_STATE,
	EFFECTS,
	NOT_SERIALIZED,
	UNKNOWN
};

//! What a call of a function can reach beyond its arguments and the rows that it is given. Bits.
struct FunctionPower {
	enum Bits : uint16_t {
		NONE = 0,
		READS_FILES = 1, //! of the process's machine, whatever path it is given
		WRITES = 2,      //! data, files or logs
		NETWORK = 4,     //! other machines
		SETTINGS = 8,    //! changes settings of the connection or of the process
		SECRETS = 16,    //! shows or takes passwords and keys
		CATALOG = 32,    //! lists what the catalog has, definitions too
		OTHERS = 64,     //! statements, logs and files of other connections
		CODE = 128,      //! runs SQL, plans or addresses that are given as arguments
		NODES = 256,     //! controls or shows the nodes of the cluster
		COUNTS = 512,    //! moves a sequence of the database on
		ALL = 1023
	};
};

struct FunctionTraits {
	SessionReason reason = SessionReason::UNKNOWN;
	//! FunctionPower::Bits
	uint16_t powers = FunctionPower::ALL;

	bool OnWorker() const {
		return reason == SessionReason::ON_WORKER;
	}
};

//! What was found out about the function of this kind and name (any case); UNKNOWN with all powers about one that
//! nobody has looked at. By name only: whether the
//! catalog's entry is DuckDB's own is another question, see function_calls.hpp. Thread-safe.
FunctionTraits TraitsOf(FunctionKind kind, const std::string &name);

//! The same of a call as it is written in a query, f(…), before it is bound: it may be a scalar function, an aggregate
//! or a macro, and has the powers of each of that name.
uint16_t PowersOfCall(const std::string &name);

//! The end of a sentence that begins with the function's name; not for ON_WORKER
const char *Describe(SessionReason reason);

} // namespace duckherder
