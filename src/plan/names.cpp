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

std::string KeyNames(const Exchange &exchange) {
	std::string result;
	for (size_t i = 0; i < exchange.key_columns.size(); i++) {
		result += (result.empty() ? "#" : ", #") + std::to_string(exchange.key_columns[i]);
		result += !exchange.key_orders.empty() && exchange.key_orders[i].descending ? " DESC" : "";
	}
	return result;
}

} // namespace duckherder
