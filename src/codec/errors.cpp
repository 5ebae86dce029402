#include "codec/errors.hpp"

#include "duckdb/common/exception.hpp"

namespace duckherder {

using namespace duckdb;

TaskError ToTaskError(const std::exception &error, const WorkerId &worker_id) {
	return ToTaskError(ErrorData(error), worker_id);
}

TaskError ToTaskError(const ErrorData &error, const WorkerId &worker_id) {
	TaskError result;
	result.exception_type = Exception::ExceptionTypeToString(error.Type());
	result.message = error.RawMessage();
	result.worker_id = worker_id;
	result.kind = error.Type() == ExceptionType::INTERRUPT ? ErrorKind::CANCELLED : ErrorKind::USER;
	return result;
}

void ThrowTaskError(const TaskError &error) {
	auto message = error.message;
	if (!error.worker_id.empty()) {
		message += " (on worker " + error.worker_id + ")";
	}
	ErrorData(Exception::StringToExceptionType(error.exception_type), message).Throw();
	throw InternalException("unreachable");
}

} // namespace duckherder
