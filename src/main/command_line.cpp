#include "main/command_line.hpp"

#include "duckdb.hpp"
#include "duckdb/common/exception.hpp"
#include "duckdb/common/string_util.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace duckherder {

using duckdb::InvalidInputException;

namespace {

bool ParseNumber(const std::string &text, uint64_t &number) {
	if (text.empty() || text.size() > 18 || !std::all_of(text.begin(), text.end(), ::isdigit)) {
		return false;
	}
	number = std::stoull(text);
	return true;
}

} // namespace

CommandLine::CommandLine(const std::string &command, const std::vector<FlagSpec> &flags,
                         const std::vector<std::string> &words) {
	ReadWords(command, flags, words);
	ReadEnvironment(command, flags);
	if (Has(CONFIG.name)) {
		ReadConfiguration(flags, Get(CONFIG.name));
	}
}

CommandLine::CommandLine(const std::vector<FlagSpec> &flags, std::map<std::string, std::vector<std::string>> values_p)
    : values(std::move(values_p)) {
	if (Has(CONFIG.name)) {
		ReadConfiguration(flags, Get(CONFIG.name));
	}
}

void CommandLine::Put(const FlagSpec &flag, const std::string &value, const std::string &source) {
	if (flag.value[0] != '\0') {
		values[flag.name].push_back(value);
	} else if (value == "true" || value == "1") {
		values[flag.name].emplace_back();
	} else if (value != "false" && value != "0") {
		throw UsageError("%s is '%s', it can be true or false", source, value);
	}
}

void CommandLine::ReadEnvironment(const std::string &command, const std::vector<FlagSpec> &flags) {
	for (auto &flag : flags) {
		auto name = duckdb::StringUtil::Upper("DUCKHERDER_" + command + "_" + std::string(flag.name).substr(2));
		std::replace(name.begin(), name.end(), '-', '_');
		auto value = std::getenv(name.c_str());
		if (value && !Has(flag.name)) {
			Put(flag, value, name);
		}
	}
}

void CommandLine::ReadConfiguration(const std::vector<FlagSpec> &flags, const std::string &path) {
	std::istringstream lines(ReadTextFile(path));
	auto given = values;
	uint32_t number = 0;
	for (std::string line; std::getline(lines, line);) {
		number++;
		auto text = line.substr(0, line.find('#'));
		duckdb::StringUtil::Trim(text);
		if (text.empty()) {
			continue;
		}
		auto place = duckdb::StringUtil::Format("Line %d of '%s'", number, path);
		auto equals = text.find('=');
		auto name = text.substr(0, equals);
		auto value = equals == std::string::npos ? std::string() : text.substr(equals + 1);
		duckdb::StringUtil::Trim(name);
		duckdb::StringUtil::Trim(value);
		auto flag =
		    std::find_if(flags.begin(), flags.end(), [&](const FlagSpec &spec) { return "--" + name == spec.name; });
		if (equals == std::string::npos || flag == flags.end() || "--" + name == CONFIG.name) {
			throw UsageError("%s is '%s': a line is 'name = value', where --name is one of these flags:\n%s", place,
			                 text, FlagHelp(flags));
		}
		if (given.count(flag->name) > 0) {
			continue;
		}
		if (Has(flag->name) && !flag->repeats) {
			throw UsageError("%s: %s is given twice", place, name);
		}
		Put(*flag, value, duckdb::StringUtil::Format("%s: %s", place, name));
	}
}

void CommandLine::ReadWords(const std::string &command, const std::vector<FlagSpec> &flags,
                            const std::vector<std::string> &words) {
	for (size_t i = 0; i < words.size(); i++) {
		auto &word = words[i];
		auto equals = word.find('=');
		auto name = word.substr(0, equals);
		auto flag = std::find_if(flags.begin(), flags.end(), [&](const FlagSpec &spec) { return name == spec.name; });
		if (flag == flags.end()) {
			throw UsageError("duckherder %s does not know '%s'; it takes:\n%s", command, name, FlagHelp(flags));
		}
		auto takes_value = flag->value[0] != '\0';
		if (values.count(name) > 0 && !flag->repeats) {
			throw UsageError("%s is given twice", name);
		}
		if (!takes_value && equals != std::string::npos) {
			throw UsageError("%s takes no value", name);
		}
		if (takes_value && equals == std::string::npos && i + 1 == words.size()) {
			throw UsageError("%s needs a value: %s %s", name, name, flag->value);
		}
		auto value = !takes_value ? "" : equals != std::string::npos ? word.substr(equals + 1) : words[++i];
		values[name].push_back(std::move(value));
	}
}

bool CommandLine::Has(const std::string &name) const {
	return values.count(name) > 0;
}

std::string CommandLine::Get(const std::string &name, const std::string &fallback) const {
	auto entry = values.find(name);
	return entry == values.end() ? fallback : entry->second.back();
}

std::vector<std::string> CommandLine::GetAll(const std::string &name) const {
	auto entry = values.find(name);
	return entry == values.end() ? std::vector<std::string>() : entry->second;
}

uint64_t CommandLine::GetNumber(const std::string &name, uint64_t fallback, uint64_t minimum, uint64_t maximum) const {
	if (!Has(name)) {
		return fallback;
	}
	uint64_t number = 0;
	if (!ParseNumber(Get(name), number) || number < minimum || number > maximum) {
		throw UsageError("%s is '%s', it can be a number from %llu to %llu", name, Get(name), minimum, maximum);
	}
	return number;
}

NodeAddress CommandLine::GetAddress(const std::string &name, const std::string &fallback, uint16_t missing_port) const {
	try {
		return ParseNodeAddress(Get(name, fallback), missing_port);
	} catch (std::exception &error) {
		throw UsageError(name + ": " + duckdb::ErrorData(error).RawMessage());
	}
}

std::string FlagHelp(const std::vector<FlagSpec> &flags) {
	std::ostringstream text;
	for (auto &flag : flags) {
		auto left = std::string("  ") + flag.name + " " + flag.value;
		left.resize(std::max<size_t>(left.size() + 1, 30), ' ');
		text << left << flag.help << "\n";
	}
	return text.str();
}

std::string ReadTextFile(const std::string &path) {
	if (path.empty()) {
		return std::string();
	}
	std::ifstream file(path);
	std::ostringstream text;
	text << file.rdbuf();
	if (!file) {
		throw duckdb::IOException("Cannot read the file '%s'", path);
	}
	return text.str();
}

std::string ReadPemFile(const std::string &named_by, const std::string &path, PemKind kind) {
	auto text = ReadTextFile(path);
	auto has_certificate = text.find("-----BEGIN CERTIFICATE-----") != std::string::npos;
	auto has_key = text.find("PRIVATE KEY-----") != std::string::npos;
	auto wants_key = kind == PemKind::KEY;
	if (path.empty() || (wants_key ? has_key : has_certificate)) {
		return text;
	}
	throw InvalidInputException("%s names '%s', which holds %s: it needs %s in PEM form", named_by, path,
	                            has_certificate ? "a certificate and no private key"
	                            : has_key       ? "a private key and no certificate"
	                                            : "neither a certificate nor a private key",
	                            wants_key ? "a private key" : "a certificate");
}

} // namespace duckherder
