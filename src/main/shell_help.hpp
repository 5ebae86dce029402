#pragma once

#include "main/command_line.hpp"

#include <string>
#include <vector>

namespace duckherder {

//! What shells and manual pages say about the program, made from its subcommands, so that nothing is written twice.

//! A line for each command, for the program's help
std::string CommandList(const std::vector<CommandSpec> &commands);

//! A script that lets `shell` (bash, zsh or fish) complete subcommands, flags and file names. Throws UsageError for
//! another shell.
std::string CompletionScript(const std::vector<CommandSpec> &commands, const std::string &shell);

//! duckherder(1) in the language of man
std::string ManualPage(const std::vector<CommandSpec> &commands, const std::string &version);

} // namespace duckherder
