#include "engine/function_traits.hpp"

#include "compat/types.hpp"

#include "duckdb/common/string_util.hpp"

#include <algorithm>
#include <sstream>
#include <unordered_map>

namespace duckherder {

using namespace duckdb;

namespace {

struct Row {
	FunctionKind kind;
	SessionReason reason;
	int powers;
	//! With spaces between them
	const char *names;
};

using enum FunctionPower::Bits;

#define FUNCTIONS(kind, reason, powers, names) {FunctionKind::kind, SessionReason::reason, powers, names},
constexpr Row ROWS[] = {
#include "engine/function_traits.def"
#include "engine/function_traits_2_0.def"
};
#undef FUNCTIONS

using Traits = std::unordered_map<std::string, FunctionTraits>;

std::string Key(FunctionKind kind, const std::string &lower_name) {
	auto key = static_cast<char>('a' + static_cast<int>(kind)) + lower_name;
	// names are listed with spaces between them
	std::replace(key.begin(), key.end(), ' ', '_');
	return key;
}

const Traits &AllTraits() {
	static const Traits traits = [] {
		Traits result;
		for (auto &row : ROWS) {
			std::istringstream names(row.names);
			for (std::string name; names >> name;) {
				result[Key(row.kind, name)] = {row.reason, static_cast<uint16_t>(row.powers)};
			}
		}
		return result;
	}();
	return traits;
}

bool Find(FunctionKind kind, const std::string &lower_name, FunctionTraits &traits) {
	auto found = AllTraits().find(Key(kind, lower_name));
	if (found == AllTraits().end()) {
		return false;
	}
	traits = found->second;
	return true;
}

} // namespace

FunctionTraits TraitsOf(FunctionKind kind, const std::string &name) {
	FunctionTraits traits;
	Find(kind, StringUtil::Lower(name), traits);
	if (traits.reason == SessionReason::OF_STATES && EXPORTED_STATES_TRAVEL) {
		traits.reason = SessionReason::ON_WORKER;
	}
	return traits;
}

uint16_t PowersOfCall(const std::string &name) {
	auto lower_name = StringUtil::Lower(name);
	uint16_t powers = NONE;
	auto known = false;
	for (auto kind : {FunctionKind::SCALAR, FunctionKind::AGGREGATE, FunctionKind::MACRO}) {
		FunctionTraits traits;
		if (Find(kind, lower_name, traits)) {
			known = true;
			powers |= traits.powers;
		}
	}
	return known ? powers : static_cast<uint16_t>(ALL);
}

const char *Describe(SessionReason reason) {
	switch (reason) {
	case SessionReason::ON_WORKER:
		return "runs anywhere";
	case SessionReason::OF_CONTEXT:
		return "depends on the session's search path and databases";
	case SessionReason::OF_SETTINGS:
		return "reads the session's settings";
	case SessionReason::OF_VARIABLES:
		return "reads the session's variables";
	case SessionReason::OF_CATALOG:
		return "looks into the session's catalog";
	case SessionReason::OF_PARSER:
		return "parses as the session's settings and extensions say";
	case SessionReason::OF_LOGS:
		return "reads the log of this process";
	case SessionReason::OF_PROCESS:
	case SessionReason::OF_SESSION:
		return "describes this session";
	case SessionReason::OF_SEED:
		return "draws from the session's random numbers";
	case SessionReason::OF_LAYOUT:
		return "depends on how values lie in memory";
	case SessionReason::OF_STATES:
		return "reads exported states of aggregates, which do not travel";
	case SessionReason::OF_EXTENSION:
		return "belongs to an extension that workers may not have";
	case SessionReason::OWN_STATE:
		return "has state of its own";
	case SessionReason::EFFECTS:
		return "has effects";
	case SessionReason::NOT_SERIALIZED:
		return "cannot be serialized";
	case SessionReason::UNKNOWN:
		break;
	}
	return "is not known to be the same on a worker";
}

} // namespace duckherder
