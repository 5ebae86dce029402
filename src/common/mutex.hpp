#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

//! What clang's thread-safety analysis checks when it compiles (`make tidy`); other compilers see nothing of it. The
//! names are those of clang.llvm.org/docs/ThreadSafetyAnalysis.html, where each is explained.
#if defined(__clang__)
#define DUCKHERDER_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define DUCKHERDER_THREAD_ATTRIBUTE(x)
#endif

#define CAPABILITY(x)             DUCKHERDER_THREAD_ATTRIBUTE(capability(x))
#define SCOPED_CAPABILITY         DUCKHERDER_THREAD_ATTRIBUTE(scoped_lockable)
#define ACQUIRE(...)              DUCKHERDER_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...)              DUCKHERDER_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS DUCKHERDER_THREAD_ATTRIBUTE(no_thread_safety_analysis)
//! Of a field: it is read and written with the mutex held. PT_GUARDED_BY says so of what a pointer points to.
#define GUARDED_BY(x)    DUCKHERDER_THREAD_ATTRIBUTE(guarded_by(x))
#define PT_GUARDED_BY(x) DUCKHERDER_THREAD_ATTRIBUTE(pt_guarded_by(x))
//! Of a function: its caller holds the mutex. Also of a lambda, before its body; the analysis does not see by itself
//! that what a condition variable calls is called with the mutex held.
#define REQUIRES(...) DUCKHERDER_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
//! Of a function: its caller does not hold the mutex, as it takes it, or calls out.
#define EXCLUDES(...) DUCKHERDER_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))

namespace duckherder {

//! A std::mutex that says to the analysis what it is. It has no lock() of its own: MutexLock holds it.
class CAPABILITY("mutex") Mutex {
private:
	friend class MutexLock;
	std::mutex mutex;
};

//! Holds a mutex until the end of its scope; in between it may let go of it.
class SCOPED_CAPABILITY MutexLock {
public:
	explicit MutexLock(Mutex &mutex) ACQUIRE(mutex) : held(mutex.mutex) {
	}
	~MutexLock() RELEASE() {
	}
	MutexLock(const MutexLock &) = delete;
	MutexLock &operator=(const MutexLock &) = delete;

	void Lock() ACQUIRE() NO_THREAD_SAFETY_ANALYSIS {
		held.lock();
	}
	void Unlock() RELEASE() NO_THREAD_SAFETY_ANALYSIS {
		held.unlock();
	}

private:
	friend class Condition;
	std::unique_lock<std::mutex> held;
};

//! A std::condition_variable for the holders of a Mutex.
class Condition {
public:
	void Wait(MutexLock &lock) {
		changed.wait(lock.held);
	}
	template <class PREDICATE>
	void Wait(MutexLock &lock, PREDICATE predicate) {
		changed.wait(lock.held, std::move(predicate));
	}
	//! False if nobody has notified within the time.
	template <class REP, class PERIOD>
	bool WaitFor(MutexLock &lock, std::chrono::duration<REP, PERIOD> time) {
		return changed.wait_for(lock.held, time) == std::cv_status::no_timeout;
	}
	//! What the predicate says in the end.
	template <class REP, class PERIOD, class PREDICATE>
	bool WaitFor(MutexLock &lock, std::chrono::duration<REP, PERIOD> time, PREDICATE predicate) {
		return changed.wait_for(lock.held, time, std::move(predicate));
	}
	void NotifyOne() {
		changed.notify_one();
	}
	void NotifyAll() {
		changed.notify_all();
	}

private:
	std::condition_variable changed;
};

} // namespace duckherder
