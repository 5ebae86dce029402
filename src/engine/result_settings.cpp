#include "engine/result_settings.hpp"

#include "compat/names.hpp"

#include "duckdb/main/client_context.hpp"
#include "duckdb/parser/keyword_helper.hpp"

#include <algorithm>
#include <sstream>

namespace duckherder {

using namespace duckdb;

namespace {

enum class Decision { TRAVELS, BOUND, SPEED, DISPLAY, STORAGE, PROCESS, ALIAS };

struct Row {
	Decision decision;
	//! With spaces between them
	const char *names;
};

#define SETTINGS(decision, names) {Decision::decision, names},
constexpr Row ROWS[] = {
#include "engine/result_settings.def"
#include "engine/result_settings_2_0.def"
};
#undef SETTINGS

} // namespace

const std::vector<std::string> &ResultSettingNames() {
	static const std::vector<std::string> names = [] {
		std::vector<std::string> result;
		for (auto &row : ROWS) {
			std::istringstream texts(row.decision == Decision::TRAVELS ? row.names : "");
			for (std::string name; texts >> name;) {
				result.push_back(name);
			}
		}
		return result;
	}();
	return names;
}

bool IsResultSetting(const std::string &name) {
	auto &names = ResultSettingNames();
	return std::find(names.begin(), names.end(), name) != names.end();
}

ResultSettings ResultSettingsOf(ClientContext &context) {
	ResultSettings result;
	for (auto &name : ResultSettingNames()) {
		Value value;
		if (context.TryGetCurrentSetting(Identifier(name), value) && !value.IsNull()) {
			result.emplace_back(name, value.ToString());
		}
	}
	return result;
}

void ApplyResultSettings(Connection &connection, const ResultSettings &settings, const std::string &where) {
	for (auto &setting : settings) {
		if (!IsResultSetting(setting.first)) {
			throw InvalidInputException("The setting \"%s\" does not travel", setting.first);
		}
		Value current;
		if (connection.context->TryGetCurrentSetting(Identifier(setting.first), current) && !current.IsNull() &&
		    current.ToString() == setting.second) {
			continue;
		}
		auto set = connection.Query("SET SESSION " + KeywordHelper::WriteOptionallyQuoted(setting.first) + " = " +
		                            KeywordHelper::WriteQuoted(setting.second, '\''));
		if (set->HasError()) {
			set->ThrowError("The session's setting " + setting.first + " cannot be used on " + where + ": ");
		}
	}
}

} // namespace duckherder
