#include "coordinator/dispatch_pool.hpp"

namespace duckherder {

DispatchPool::~DispatchPool() {
	Close();
}

void DispatchPool::Close() {
	std::unique_lock<std::mutex> guard(lock);
	stopping = true;
	while (!threads.empty()) {
		std::vector<std::thread> ending;
		ending.swap(threads);
		guard.unlock();
		wake.notify_all();
		for (auto &thread : ending) {
			thread.join();
		}
		guard.lock();
	}
}

void DispatchPool::Submit(std::function<void()> job) {
	std::lock_guard<std::mutex> guard(lock);
	jobs.push_back(std::move(job));
	if (stopping) {
		// a job's own thread takes it; nobody else has a use for it
		return;
	}
	if (jobs.size() > idle) {
		threads.emplace_back([this] { Run(); });
	} else {
		wake.notify_one();
	}
}

void DispatchPool::Run() {
	std::unique_lock<std::mutex> guard(lock);
	while (true) {
		while (jobs.empty() && !stopping) {
			idle++;
			wake.wait(guard);
			idle--;
		}
		if (jobs.empty()) {
			return;
		}
		auto job = std::move(jobs.front());
		jobs.pop_front();
		guard.unlock();
		job();
		job = nullptr;
		guard.lock();
	}
}

} // namespace duckherder
