#pragma once

#include "common/clock.hpp"
#include "common/mutex.hpp"
#include "protocol/role.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace duckherder {

//! Browsers that have logged in: each has a random name, which it shows in a cookie in place of a token. A log-in ends
//! after HTTP_LOGIN_IDLE_MS without a request. Thread-safe.
class HttpLogins {
public:
	explicit HttpLogins(std::shared_ptr<Clock> clock);

	//! Returns its name, which nobody can guess.
	std::string Begin(Role role);
	void End(const std::string &name);
	//! None if there is no such log-in any more; otherwise it counts as used.
	std::optional<Role> RoleOf(const std::string &name);

private:
	struct Login {
		Role role;
		TimeMs used;
	};

	const std::shared_ptr<Clock> clock;
	Mutex lock;
	std::map<std::string, Login> logins GUARDED_BY(lock);
};

} // namespace duckherder
