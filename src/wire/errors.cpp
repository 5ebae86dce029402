#include "wire/errors.hpp"

#include "wire/error_hints.hpp"
#include "common/text.hpp"

#include "duckdb/common/string_util.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace duckherder {

using duckdb::ErrorData;
using duckdb::Exception;
using duckdb::ExceptionType;

namespace {

constexpr const char *PLACE_PREFIX = " (on worker ";
//! Entries, and bytes of each: DuckDB's own are few and short
constexpr size_t EXTRA_INFO_MAX = 32;
constexpr size_t EXTRA_INFO_BYTES_MAX = 4096;

//! -1 if the error does not say
int NumberInExtraInfo(const ErrorData &error, const char *name) {
	auto entry = error.ExtraInfo().find(name);
	return entry == error.ExtraInfo().end() ? -1 : static_cast<int>(std::strtol(entry->second.c_str(), nullptr, 10));
}

//! Whether an IO error says something about a file that the query names: true everywhere, and next time as well
bool IsAboutTheFile(const ErrorData &error) {
	if (error.ExtraInfo().count(FileVersionException::EXTRA_INFO) > 0) {
		return true;
	}
	switch (NumberInExtraInfo(error, "errno")) {
	case ENOENT:
	case EACCES:
	case EPERM:
	case EISDIR:
	case ENOTDIR:
	case ELOOP:
	case ENAMETOOLONG:
		return true;
	default:
		return duckdb::StringUtil::StartsWith(error.RawMessage(), "No files found that match the pattern");
	}
}

bool MayAnswerNextTime(int http_status) {
	return http_status <= 0 || http_status == 408 || http_status == 425 || http_status == 429 || http_status >= 500;
}

ErrorKind KindOf(const ErrorData &error) {
	switch (error.Type()) {
	case ExceptionType::INTERRUPT:
		return ErrorKind::CANCELLED;
	case ExceptionType::OUT_OF_MEMORY:
	case ExceptionType::CONNECTION:
	case ExceptionType::NETWORK:
	case ExceptionType::FATAL:
		return ErrorKind::WORKER_FAILURE;
	case ExceptionType::HTTP:
		return MayAnswerNextTime(NumberInExtraInfo(error, "status_code")) ? ErrorKind::WORKER_FAILURE : ErrorKind::USER;
	case ExceptionType::IO:
		return IsAboutTheFile(error) ? ErrorKind::USER : ErrorKind::WORKER_FAILURE;
	default:
		return ErrorKind::USER;
	}
}

//! What may matter elsewhere: where in the query's text, which file, which status. Not the stack of this process.
std::vector<std::pair<std::string, std::string>> ExtraInfoOf(const ErrorData &error) {
	std::vector<std::pair<std::string, std::string>> result;
	for (auto &entry : error.ExtraInfo()) {
		auto is_stack = duckdb::StringUtil::StartsWith(entry.first, "stack_trace");
		auto fits = entry.first.size() + entry.second.size() <= EXTRA_INFO_BYTES_MAX;
		if (!is_stack && fits && result.size() < EXTRA_INFO_MAX) {
			result.emplace_back(entry.first, entry.second);
		}
	}
	std::sort(result.begin(), result.end());
	return result;
}

std::string Shortened(const std::string &message) {
	if (message.size() <= ERROR_MESSAGE_BYTES_MAX) {
		return message;
	}
	auto length = WholeCharacters(message, ERROR_MESSAGE_BYTES_MAX);
	return message.substr(0, length) + "... (" + std::to_string(message.size() - length) + " more bytes)";
}

} // namespace

FileVersionException::FileVersionException(const std::string &path, const std::string &difference)
    : IOException({{EXTRA_INFO, path}},
                  "The file \"%s\" is not the one that the query was planned with: %s. Run the query again if it was "
                  "replaced; otherwise there is another file at that path here than where the query was planned",
                  path, difference) {
}

TaskError ToTaskError(const std::exception &error, const WorkerId &worker_id) {
	auto result = ToTaskError(ErrorData(error), worker_id);
	if (dynamic_cast<const std::system_error *>(&error)) {
		// the system refused a thread or another resource
		result.kind = ErrorKind::WORKER_FAILURE;
	}
	return result;
}

TaskError ToTaskError(const ErrorData &error, const WorkerId &worker_id) {
	TaskError result;
	result.kind = KindOf(error);
	result.exception_type = Exception::ExceptionTypeToString(error.Type());
	result.message = Shortened(error.RawMessage()) + (worker_id.empty() ? std::string() : HintForWorker(error));
	result.worker_id = worker_id;
	result.extra_info = ExtraInfoOf(error);
	return result;
}

void ThrowTaskError(const TaskError &error) {
	auto type = Exception::StringToExceptionType(error.exception_type);
	auto message = error.message;
	if (!error.worker_id.empty() && message.find(PLACE_PREFIX) == std::string::npos) {
		message += PLACE_PREFIX + error.worker_id + ")";
	}
	if (type == ExceptionType::FATAL || type == ExceptionType::INTERNAL) {
		message = error.exception_type + " error: " + message;
		type = ExceptionType::IO;
	}
	duckdb::unordered_map<std::string, std::string> extra_info(error.extra_info.begin(), error.extra_info.end());
	throw Exception(extra_info, type, message);
}

} // namespace duckherder
