#pragma once

#include "common/ids.hpp"
#include "common/task_error.hpp"

#include "duckdb.hpp"
#include "duckdb/common/error_data.hpp"

namespace duckherder {

TaskError ToTaskError(const std::exception &error, const WorkerId &worker_id);
TaskError ToTaskError(const duckdb::ErrorData &error, const WorkerId &worker_id);
[[noreturn]] void ThrowTaskError(const TaskError &error);

} // namespace duckherder
