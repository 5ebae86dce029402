#include "worker/thread_count.hpp"

#include "common/limits.hpp"

#include "duckdb/main/config.hpp"
#include "duckdb/main/settings.hpp"
#include "duckdb/parallel/task_scheduler.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

namespace {

uint32_t RemoteThreads(uint32_t usual, uint32_t wanted) {
	auto by_default = std::min(usual * limits::REMOTE_THREADS_PER_THREAD, limits::REMOTE_THREADS_DEFAULT_MAX);
	return std::max(usual, wanted > 0 ? wanted : by_default);
}

} // namespace

ThreadCount::ThreadCount(DatabaseInstance &db_p, uint32_t remote_p)
    : db(db_p), usual(NumericCast<uint32_t>(TaskScheduler::GetScheduler(db_p).NumberOfThreads())),
      remote(RemoteThreads(usual, remote_p)), now(usual) {
}

void ThreadCount::Set(uint32_t threads) {
	auto &scheduler = TaskScheduler::GetScheduler(db);
	scheduler.SetThreads(threads, Settings::Get<ExternalThreadsSetting>(DBConfig::GetConfig(db)));
	scheduler.RelaunchThreads();
	now = threads;
}

ThreadCount::Use::Use(ThreadCount &count_p, bool remote) : count(count_p) {
	std::lock_guard<std::mutex> guard(count.lock);
	auto wanted = remote ? count.remote : count.usual;
	if (wanted > count.now || (wanted < count.now && count.running == 0)) {
		count.Set(wanted);
	}
	count.running++;
}

ThreadCount::Use::~Use() {
	std::lock_guard<std::mutex> guard(count.lock);
	count.running--;
}

} // namespace duckherder
