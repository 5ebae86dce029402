#include "transport/credentials/login_failures.hpp"

#include "common/limits.hpp"
#include "common/log.hpp"

#include <algorithm>
#include <thread>

namespace duckherder {

LoginFailures::LoginFailures(uint64_t first_wait_ms_p, uint32_t waits_max_p)
    : first_wait_ms(first_wait_ms_p), waits_max(waits_max_p) {
}

void LoginFailures::Refuse(const std::string &address, bool has_token) {
	Wait(Note(address, has_token));
}

uint64_t LoginFailures::Note(const std::string &address, bool has_token) {
	MutexLock guard(lock);
	auto now = clock.NowMs();
	if (addresses.size() >= limits::LOGIN_ADDRESSES_MAX && addresses.count(address) == 0) {
		addresses.clear();
	}
	auto &entry = addresses[address];
	if (entry.count > 0 && now - entry.last_ms > limits::LOGIN_FORGET_MS) {
		entry = Entry();
	}
	entry.count++;
	entry.last_ms = now;
	if (entry.count == 1 || now - entry.logged_ms >= limits::LOGIN_LOG_INTERVAL_MS) {
		entry.logged_ms = now;
		auto why = has_token ? "its token is wrong" : "it has no token";
		auto count = std::to_string(entry.count);
		Log::OfProcess().Write(LogLevel::WARNING, "call_refused",
		                       "refused a call from " + address + ": " + why + " (" + count + " failures)",
		                       {{"address", address}, {"failures", count}});
	}
	auto wait = first_wait_ms;
	for (uint64_t i = 1; i < entry.count && wait > 0 && wait < limits::LOGIN_WAIT_MAX_MS; i++) {
		wait *= 2;
	}
	return std::min(wait, limits::LOGIN_WAIT_MAX_MS);
}

void LoginFailures::Wait(uint64_t wait_ms) {
	if (wait_ms == 0) {
		return;
	}
	{
		MutexLock guard(lock);
		if (waiting >= waits_max) {
			return;
		}
		waiting++;
	}
	std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
	MutexLock guard(lock);
	waiting--;
}

} // namespace duckherder
