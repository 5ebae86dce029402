#include "protocol/messages.hpp"
#include "protocol/role.hpp"

namespace duckherder {

const char *WorkerStateName(WorkerState state) {
	switch (state) {
	case WorkerState::ACTIVE:
		return "active";
	case WorkerState::DRAINING:
		return "draining";
	case WorkerState::LOST:
		return "lost";
	case WorkerState::BROKEN:
		return "broken";
	}
	return "unknown";
}

const char *RoleName(Role role) {
	switch (role) {
	case Role::READ:
		return "read";
	case Role::WRITE:
		return "write";
	case Role::ADMIN:
		return "admin";
	case Role::NODE:
		return "node";
	}
	return "unknown";
}

} // namespace duckherder
