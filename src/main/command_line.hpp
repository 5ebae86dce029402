#pragma once

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

//! The parsed words behind a subcommand. Flags are given as --name VALUE or --name=VALUE.
class CommandLine {
public:
	//! Throws InvalidInputException naming the word that is wrong and what could stand there.
	CommandLine(const std::string &command, const std::vector<FlagSpec> &flags, const std::vector<std::string> &words);

	bool Has(const std::string &name) const;
	std::string Get(const std::string &name, const std::string &fallback = std::string()) const;
	//! Of a flag that may be given several times
	std::vector<std::string> GetAll(const std::string &name) const;
	//! A whole number between the bounds
	uint64_t GetNumber(const std::string &name, uint64_t fallback, uint64_t minimum, uint64_t maximum) const;

private:
	std::map<std::string, std::vector<std::string>> values;
};

struct HostPort {
	std::string host;
	uint16_t port;
};

constexpr uint16_t DEFAULT_PORT = 8815;

//! "127.0.0.1:8815" or "[::1]:8815"
HostPort ParseHostPort(const std::string &text, uint16_t missing_port = DEFAULT_PORT);

std::string FlagHelp(const std::vector<FlagSpec> &flags);

//! The whole file; nothing for an empty path. Throws IOException that names it.
std::string ReadTextFile(const std::string &path);

} // namespace duckherder
