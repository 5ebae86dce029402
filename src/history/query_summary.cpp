#include "history/query_summary.hpp"

#include <algorithm>
#include <set>

namespace duckherder {

QuerySummary::QuerySummary(const QueryRecord &record, int64_t now_us) : sums(record) {
	query.number = record.number;
	query.query_id = record.query_id;
	query.sql = record.sql;
	query.mode = record.mode;
	query.local_reason = record.local_reason;
	query.partition_strategy = record.partition_strategy;
	query.merge_strategy = record.merge_strategy;
	query.num_stages = record.num_stages;
	query.num_workers_used = record.num_workers_used;
	query.retries = record.retries;
	query.bytes_exchanged = record.bytes_exchanged;
	query.start_time_us = record.start_time_us;
	query.state = record.StateAt(now_us);
	query.error = record.error;
	query.duration_us = query.Running() ? static_cast<uint64_t>(std::max<int64_t>(now_us - record.start_time_us, 0))
	                                    : record.duration_us;
	if (record.report) {
		session = record.report->session;
	} else if (record.Running()) {
		std::set<std::string> workers;
		for (auto &task : record.tasks) {
			if (!task.worker_id.empty()) {
				workers.insert(task.worker_id);
			}
		}
		query.num_workers_used = static_cast<uint32_t>(workers.size());
	}
}

} // namespace duckherder
