#include "coordinator/trace.hpp"

#include "duckdb/logging/log_manager.hpp"
#include "duckdb/logging/logger.hpp"

#include <algorithm>
#include <cstdio>
#include <sstream>

namespace duckherder {

namespace {

size_t NumberOf(const std::vector<WorkerInfo> &workers, const WorkerId &id) {
	auto found =
	    std::find_if(workers.begin(), workers.end(), [&](const WorkerInfo &worker) { return worker.address.id == id; });
	return static_cast<size_t>(found - workers.begin());
}

std::string OneLine(std::string sql) {
	std::replace(sql.begin(), sql.end(), '\n', ' ');
	while (!sql.empty() && (sql.back() == ' ' || sql.back() == ';')) {
		sql.pop_back();
	}
	return sql + ";";
}

} // namespace

std::string TraceBlock(const PipelineTasks &split, const std::string &sql, const std::vector<WorkerInfo> &workers,
                       const std::vector<WorkerId> &assigned) {
	std::ostringstream text;
	text << "[PIPELINE TASKS] Extracting pipeline tasks from physical plan...\n";
	text << "  Base SQL: " << OneLine(sql) << "\n";
	text << "  Available Workers: " << workers.size() << "\n";
	auto enough = split.natural_parallelism >= workers.size();
	text << "  DuckDB parallelism (" << split.natural_parallelism << ") " << (enough ? ">=" : "<") << " workers, using "
	     << split.tasks.size() << " tasks\n";
	if (!split.fallback_reason.empty()) {
		text << "  Extraction failed, falling back: " << split.fallback_reason << "\n";
	}
	text << "  Creating " << split.tasks.size() << " pipeline tasks\n";
	text << "  Using " << SplitTraceName(split.kind) << " partitioning\n";
	text << "  Total cardinality: " << split.total_rows << "\n";
	for (size_t i = 0; i < split.tasks.size(); i++) {
		auto &task = split.tasks[i];
		text << "  Task " << task.task_id << " (Worker " << NumberOf(workers, assigned[i]) << "): ";
		if (!task.has_rows) {
			text << std::visit([&](auto &part) { return part.Trace(task.partition_indices); }, task.split.part);
		} else if (task.row_end > task.row_start) {
			text << "rows [" << task.row_start << ", " << task.row_end - 1 << "], row_groups [" << task.row_group_start
			     << ", " << task.row_group_end << "]";
		} else {
			text << "no rows";
		}
		text << "\n";
	}
	text << "[PIPELINE TASKS] Successfully created " << split.tasks.size() << " tasks\n";
	return text.str();
}

void WriteTrace(duckdb::ClientContext &context, bool print, const std::string &text) {
	auto &logger = duckdb::Logger::Get(context);
	if (logger.ShouldLog(TRACE_LOG_TYPE, duckdb::LogLevel::LOG_INFO)) {
		logger.WriteLog(TRACE_LOG_TYPE, duckdb::LogLevel::LOG_INFO, text);
	}
	if (print) {
		fputs(text.c_str(), stderr);
		fflush(stderr);
	}
}

} // namespace duckherder
