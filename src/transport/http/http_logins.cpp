#include "transport/http/http_logins.hpp"

#include "common/limits.hpp"
#include "transport/credentials/token.hpp"

#include <algorithm>

namespace duckherder {

HttpLogins::HttpLogins(std::shared_ptr<Clock> clock_p) : clock(std::move(clock_p)) {
}

std::string HttpLogins::Begin(Role role) {
	auto name = MakeToken();
	MutexLock guard(lock);
	if (logins.size() >= limits::HTTP_LOGINS_MAX) {
		logins.erase(std::min_element(logins.begin(), logins.end(),
		                              [](auto &left, auto &right) { return left.second.used < right.second.used; }));
	}
	logins[name] = {role, clock->NowMs()};
	return name;
}

void HttpLogins::End(const std::string &name) {
	MutexLock guard(lock);
	logins.erase(name);
}

std::optional<Role> HttpLogins::RoleOf(const std::string &name) {
	MutexLock guard(lock);
	auto entry = logins.find(name);
	if (entry == logins.end()) {
		return std::nullopt;
	}
	auto now = clock->NowMs();
	if (now - entry->second.used >= limits::HTTP_LOGIN_IDLE_MS) {
		logins.erase(entry);
		return std::nullopt;
	}
	entry->second.used = now;
	return entry->second.role;
}

} // namespace duckherder
