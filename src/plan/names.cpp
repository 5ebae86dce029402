#include "plan/stage_graph.hpp"

namespace duckherder {

const char *ExchangeKindName(ExchangeKind kind) {
	switch (kind) {
	case ExchangeKind::RESULT:
		return "RESULT";
	case ExchangeKind::HASH:
		return "HASH";
	case ExchangeKind::BROADCAST:
		return "BROADCAST";
	case ExchangeKind::GATHER:
		return "GATHER";
	case ExchangeKind::ROUND_ROBIN:
		return "ROUND_ROBIN";
	case ExchangeKind::RANGE:
		return "RANGE";
	case ExchangeKind::SAMPLE:
		return "SAMPLE";
	}
	return "UNKNOWN";
}

} // namespace duckherder
