#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace duckherder {

//! Threads that wait for nodes: one per running attempt, kept for the next, and those for small calls beside them.
//! Grows with the number of jobs that run at once, never shrinks. That is bounded: the scheduler starts no more
//! attempts than workers have slots, and a query has at most one renewal per worker, one refresh, and in the end one
//! cancellation per worker on its way. Jobs must not throw.
class DispatchPool {
public:
	~DispatchPool();
	void Submit(std::function<void()> job);
	//! Waits until all jobs have ended and been destroyed. For whoever owns what jobs refer to: letting go of the pool
	//! is not enough, a job that is about to end may still hold it, and would then end it on one of its own threads.
	void Close();

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
