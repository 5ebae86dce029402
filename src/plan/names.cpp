#include "plan/stage_graph.hpp"

namespace duckherder {

const char *SplitKindName(SplitKind kind) {
	switch (kind) {
	case SplitKind::NONE:
		return "NONE";
	case SplitKind::ROW_GROUP:
		return "ROW_GROUP";
	case SplitKind::RANGE:
		return "RANGE";
	case SplitKind::MODULO:
		return "MODULO";
	case SplitKind::FILE:
		return "FILE";
	case SplitKind::FEED:
		return "FEED";
	}
	return "UNKNOWN";
}

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
	}
	return "UNKNOWN";
}

} // namespace duckherder
