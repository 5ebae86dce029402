#pragma once

#include "main/command_line.hpp"

#include <string>
#include <vector>

namespace duckherder {

//! The subcommands by which an operator asks a driver over Flight: `queries`, `query ID`, `kill ID`, `workers`, `drain
//! WORKER`, `forget WORKER`, `sessions`, `sql STATEMENT`, `top`.
std::vector<CommandSpec> OperatorCommands();

//! Runs the one with that name; false if there is none. Throws UsageError, and what the driver says.
bool RunOperatorCommand(const std::string &name, std::vector<std::string> words);

} // namespace duckherder
