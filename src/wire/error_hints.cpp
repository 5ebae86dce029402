#include "wire/error_hints.hpp"

#include "duckdb/common/string_util.hpp"

#include <algorithm>
#include <cstdlib>

namespace duckherder {

using duckdb::ErrorData;
using duckdb::Exception;
using duckdb::ExceptionType;

namespace {

constexpr size_t FILES_NAMED_MAX = 3;
constexpr const char *MISSING_AT_WORKER = "\nAn extension is missing at the worker: SELECT duckherder_load_extension";

bool Contains(const std::string &text, const std::string &part) {
	return text.find(part) != std::string::npos;
}

//! Behind `before`, up to `after`; empty if there is no name
std::string NameBetween(const std::string &message, const std::string &before, char after) {
	auto begin = message.rfind(before);
	auto end = begin == std::string::npos ? begin : message.find(after, begin + before.size());
	if (end == std::string::npos) {
		return std::string();
	}
	auto name = message.substr(begin + before.size(), end - begin - before.size());
	auto is_name = std::all_of(name.begin(), name.end(),
	                           [](unsigned char character) { return std::isalnum(character) || character == '_'; });
	return is_name ? name : std::string();
}

//! By DuckDB's own advice, "LOAD name;", or because it could not install it by itself; empty if it says nothing of one
std::string ExtensionToLoad(const std::string &message) {
	auto name = NameBetween(message, "the required extension '", '\'');
	return name.empty() && Contains(message, "extension") ? NameBetween(message, "LOAD ", ';') : name;
}

//! The session has bound it, so there it exists
bool IsOfMissingFunction(const std::string &message) {
	return Contains(message, "Function with name") && Contains(message, "does not exist");
}

//! A store that refuses. DuckDB's HTTP client often says status 0 where the answer was 401 or 403.
bool MayBeRefusal(const ErrorData &error) {
	auto status = error.ExtraInfo().find("status_code");
	if (error.Type() != ExceptionType::HTTP || status == error.ExtraInfo().end()) {
		return false;
	}
	auto code = std::strtol(status->second.c_str(), nullptr, 10);
	return code == 401 || code == 403 || code == 0;
}

//! Those that come from the bytes of a file, not from values in it
bool IsOfDecoder(const std::string &exception_type) {
	for (auto type : {ExceptionType::INVALID, ExceptionType::UNKNOWN_TYPE, ExceptionType::SERIALIZATION}) {
		if (exception_type == Exception::ExceptionTypeToString(type)) {
			return true;
		}
	}
	return false;
}

std::string NameOf(const std::string &path) {
	return path.substr(path.find_last_of('/') + 1);
}

std::string HintFor(const ErrorData &error) {
	auto &message = error.RawMessage();
	if (MayBeRefusal(error)) {
		return ". If the store wants a secret: workers do not have the session's, CREATE SECRET in the worker's --init "
		       "file, or a persistent one on its machine";
	}
	if (Contains(message, "database has been invalidated")) {
		return "\nThis is the worker's own database, not the session's, whose data are not touched: restart that "
		       "worker";
	}
	auto extension = ExtensionToLoad(message);
	if (error.Type() == ExceptionType::CATALOG && extension.empty() && IsOfMissingFunction(message)) {
		extension = "NAME";
	}
	if (extension.empty()) {
		return std::string();
	}
	return duckdb::StringUtil::Format("%s('%s') loads it here and on all workers; LOAD it in the --init file of those "
	                                  "that start later",
	                                  MISSING_AT_WORKER, extension);
}

} // namespace

std::string HintForWorker(const ErrorData &error) {
	auto hint = HintFor(error);
	// an error may be passed on by several nodes
	auto given = Contains(error.RawMessage(), MISSING_AT_WORKER) || Contains(error.RawMessage(), hint);
	return given ? std::string() : hint;
}

void NameFiles(TaskError &error, const std::vector<std::string> &paths) {
	auto named = [&](const std::string &path) { return Contains(error.message, NameOf(path)); };
	if (paths.empty() || !IsOfDecoder(error.exception_type) || std::any_of(paths.begin(), paths.end(), named)) {
		return;
	}
	std::string list;
	auto count = std::min(paths.size(), FILES_NAMED_MAX);
	for (size_t i = 0; i < count; i++) {
		list += (i == 0 ? "'" : i + 1 == paths.size() ? " or '" : ", '") + paths[i] + "'";
	}
	if (count < paths.size()) {
		list += " or one of " + std::to_string(paths.size() - count) + " others";
	}
	error.message += " (while " + list + " was read: it is damaged, or has changed meanwhile)";
}

} // namespace duckherder
