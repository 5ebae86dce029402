#pragma once

#include "extension/local_nodes.hpp"
#include "main/command_line.hpp"
#include "transport/flight/flight_connector.hpp"
#include "transport/node/flight_node.hpp"

#include "duckdb.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace duckherder {

//! Whose the process is that a node runs in. A program is the node's own: it bounds the memory of the whole process,
//! and it ends when its database is invalid. Any other process only lends the node some threads.
enum class NodeHost : uint8_t { PROGRAM, PROCESS };

//! The flags of a node. The parameters of the SQL functions that serve nodes are made of the same lists.
std::vector<FlagSpec> FlagsOf(NodeKind kind);

//! Why a node within another process does not take that flag, as the rest of a sentence that begins with the node; null
//! if it takes it.
const char *WhyNotWithinProcess(NodeKind kind, const FlagSpec &flag);

namespace node_flags {

extern const FlagSpec DATABASE;
extern const FlagSpec LAKE;
extern const FlagSpec DATA_PATH;
extern const FlagSpec INIT;
extern const FlagSpec CORE_DUMPS;

} // namespace node_flags

//! Of a flag in seconds
uint64_t MsOf(const CommandLine &flags, const std::string &name, uint64_t fallback_ms, uint64_t minimum_ms);

//! Resources of a database as the flags give them, DuckDB's own defaults where they do not
struct NodeResources {
	uint32_t threads = 0;
	std::string memory_limit;
	std::string temp_directory;
	std::string temp_limit;
};
//! In a program this sets the limit of the process, and the database gets what its buffers may use of that.
NodeResources ResourcesOf(const CommandLine &flags, NodeHost host);

//! How a node listens
FlightNodeOptions NodeOptionsOf(const CommandLine &flags, const std::string &default_listen);
//! How a node calls others; makes the token if this is the first node on its machine
FlightClientSettings NodeSettingsOf(const CommandLine &flags);

//! Where the history of queries is kept; empty: in memory only
std::string HistoryPath(const CommandLine &flags);

//! Locks the database down if clients have roles, once all is attached and loaded. `history` is a file that they must
//! not reach.
void LockForRoles(duckdb::DatabaseInstance &database, const CommandLine &flags, const FlightNodeOptions &node,
                  const std::string &history);

} // namespace duckherder
