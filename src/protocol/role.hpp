#pragma once

#include <cstdint>

namespace duckherder {

//! What the holder of a token may do at a node. Each role may do what those before it may.
enum class Role : uint8_t {
	READ = 0,  //! look at the cluster: its workers, their state; read a driver's database
	WRITE = 1, //! change data through a driver
	ADMIN = 2, //! change nodes: load extensions, remove workers, cancel queries, see everybody's statements
	NODE = 3   //! be part of the cluster: register workers, run tasks on them, read their outputs. A plan is code.
};

const char *RoleName(Role role);

} // namespace duckherder
