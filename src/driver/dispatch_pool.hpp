#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace duckherder {

//! Threads that wait for workers: one per running attempt, kept for the next. Grows with the number of jobs that run at
//! once (bounded by the slots of all workers, the scheduler starts no more), never shrinks. Jobs must not throw.
class DispatchPool {
public:
	~DispatchPool();
	void Submit(std::function<void()> job);

private:
	void Run();

	std::mutex lock;
	std::condition_variable wake;
	std::deque<std::function<void()>> jobs;
	std::vector<std::thread> threads;
	size_t idle = 0;
	bool stopping = false;
};

} // namespace duckherder
