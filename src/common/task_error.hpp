#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace duckherder {

//! What may be done about a failure.
enum class ErrorKind : uint8_t {
	//! The query or its data is at fault (cast, division by zero, missing file): the same everywhere, never retried.
	USER = 0,
	//! The worker is at fault (it is gone, connection cut, disk full there): another attempt elsewhere may succeed.
	WORKER_FAILURE = 1,
	//! Input of another task is gone (its worker died): that task has to run again first. `lost_worker` names it.
	LOST_INPUT = 2,
	//! The query was cancelled; nobody needs the result.
	CANCELLED = 3,
	//! The worker is about to end and takes no new tasks; its outputs are still there.
	DRAINING = 4,
	//! The worker could not be reached, or its answer that it took the task did not come. If it took the task all the
	//! same, that attempt has a number of its own, and nothing of it is used.
	UNREACHABLE = 5,
	//! The worker took the task, and then the connection broke: nobody knows whether it is still there.
	DISCONNECTED = 6,
	//! The worker's database is invalid: it takes no tasks any more, and its outputs are gone.
	BROKEN = 7,
	//! The worker takes no tasks just now, because its process has reached its memory limit.
	OVERLOADED = 8,
	//! The worker is not the one that was meant: its process was started again, or its database was replaced, since the
	//! sender has heard of it. It has not begun the task.
	REPLACED = 9
};

//! As labels of metrics have it: "worker_failure"
constexpr const char *ErrorKindName(ErrorKind kind) {
	switch (kind) {
	case ErrorKind::USER:
		return "user";
	case ErrorKind::WORKER_FAILURE:
		return "worker_failure";
	case ErrorKind::LOST_INPUT:
		return "lost_input";
	case ErrorKind::CANCELLED:
		return "cancelled";
	case ErrorKind::DRAINING:
		return "draining";
	case ErrorKind::UNREACHABLE:
		return "unreachable";
	case ErrorKind::DISCONNECTED:
		return "disconnected";
	case ErrorKind::BROKEN:
		return "broken";
	case ErrorKind::OVERLOADED:
		return "overloaded";
	case ErrorKind::REPLACED:
		return "replaced";
	}
	return "unknown";
}

//! A failure as it travels: DuckDB's own class and message, plus where it happened.
struct TaskError {
	ErrorKind kind = ErrorKind::USER;
	//! Name of DuckDB's ExceptionType, e.g. "Conversion"
	std::string exception_type;
	//! DuckDB's message without the class prefix
	std::string message;
	//! The worker at which it happened; empty on the driver
	std::string worker_id;
	//! Only for LOST_INPUT
	std::string lost_worker;
	//! Only for BROKEN: this very error has made the database invalid, so that the task may do so elsewhere as well.
	//! Without it the task was only there when it happened, or came later.
	bool breaks_worker = false;
	//! What DuckDB's exception says besides, by name: the position in the query's text, for example
	std::vector<std::pair<std::string, std::string>> extra_info;
};

} // namespace duckherder
