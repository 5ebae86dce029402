#pragma once

#include <string>
#include <vector>

namespace duckherder {

//! `duckherder queries`, `query ID`, `kill ID`, `workers`, `drain WORKER`, `forget WORKER`, `sessions`, `sql "…"` and
//! `top`, by its name; false if it is none of these. Asks a driver over Flight. Sets `code` to the exit code. Throws
//! UsageError, and what the driver says.
bool RunOperatorCommand(const std::string &command, const std::vector<std::string> &words, int &code);

//! For the program's help, a line each
std::string OperatorCommandHelp();

} // namespace duckherder
