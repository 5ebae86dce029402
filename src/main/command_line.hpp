#pragma once

#include "protocol/node_address.hpp"

#include "duckdb/common/exception.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace duckherder {

//! A flag that a subcommand takes
struct FlagSpec {
	const char *name;
	//! Empty for flags without a value
	const char *value;
	const char *help;
	//! It may be given several times
	bool repeats = false;
};

//! A file with flags, see CommandLine
inline const FlagSpec CONFIG {"--config", "F",
                              "take flags that are not given from this file: a line 'name = value' each"};

//! What was typed is wrong, whatever the machines do: the program ends with EXIT_USAGE
class UsageError : public duckdb::InvalidInputException {
public:
	using InvalidInputException::InvalidInputException;
};

//! Beside 0, of the program
constexpr int EXIT_FAILED = 1;
constexpr int EXIT_USAGE = 2;

//! The parsed words behind a subcommand. Flags are given as --name VALUE or --name=VALUE.
class CommandLine {
public:
	//! Throws UsageError naming the word that is wrong and what could stand there. What the words do not give comes
	//! from the environment (DUCKHERDER_COMMAND_NAME for --name, with underscores), and then from the file that
	//! --config names, if the command has that flag: a line "name = value" for each flag, # begins a comment. Flags
	//! without a value take true or false there.
	CommandLine(const std::string &command, const std::vector<FlagSpec> &flags, const std::vector<std::string> &words);
	//! From values by the names of flags, which all are among `flags`; those of a flag without a value are empty. Only
	//! --config adds to them: the environment of a process that is not our program may be meant for another one.
	CommandLine(const std::vector<FlagSpec> &flags, std::map<std::string, std::vector<std::string>> values);

	bool Has(const std::string &name) const;
	std::string Get(const std::string &name, const std::string &fallback = std::string()) const;
	//! Of a flag that may be given several times
	std::vector<std::string> GetAll(const std::string &name) const;
	//! A whole number between the bounds; UsageError otherwise
	uint64_t GetNumber(const std::string &name, uint64_t fallback, uint64_t minimum, uint64_t maximum) const;
	//! UsageError if it is none
	NodeAddress GetAddress(const std::string &name, const std::string &fallback,
	                       uint16_t missing_port = DEFAULT_PORT) const;

private:
	void ReadWords(const std::string &command, const std::vector<FlagSpec> &flags,
	               const std::vector<std::string> &words);
	void ReadEnvironment(const std::string &command, const std::vector<FlagSpec> &flags);
	void ReadConfiguration(const std::vector<FlagSpec> &flags, const std::string &path);
	//! From the environment or a file; `source` names it in errors
	void Put(const FlagSpec &flag, const std::string &value, const std::string &source);

	std::map<std::string, std::vector<std::string>> values;
};

std::string FlagHelp(const std::vector<FlagSpec> &flags);

//! The whole file; nothing for an empty path. Throws IOException that names it.
std::string ReadTextFile(const std::string &path);

enum class PemKind { CERTIFICATE, KEY };

//! The same for a PEM file that has to hold a certificate or a private key. `named_by` is the flag or variable that
//! names it: InvalidInputException says what the file holds instead.
std::string ReadPemFile(const std::string &named_by, const std::string &path, PemKind kind);

} // namespace duckherder
