#include "protocol/messages.hpp"

namespace duckherder {

const char *WorkerStateName(WorkerState state) {
	switch (state) {
	case WorkerState::ACTIVE:
		return "active";
	case WorkerState::DRAINING:
		return "draining";
	case WorkerState::LOST:
		return "lost";
	}
	return "unknown";
}

} // namespace duckherder
