#include "codec/result_settings.hpp"

#include "duckdb/main/client_context.hpp"

#include <algorithm>

namespace duckherder {

const std::vector<std::string> &ResultSettingNames() {
	static const std::vector<std::string> names = {"Calendar",
	                                               "TimeZone",
	                                               "default_collation",
	                                               "default_null_order",
	                                               "default_order",
	                                               "ieee_floating_point_ops",
	                                               "integer_division",
	                                               "old_implicit_casting",
	                                               "order_by_non_integer_literal",
	                                               "preserve_insertion_order",
	                                               "scalar_subquery_error_on_multiple_rows"};
	return names;
}

bool IsResultSetting(const std::string &name) {
	auto &names = ResultSettingNames();
	return std::find(names.begin(), names.end(), name) != names.end();
}

std::map<std::string, std::string> ResultSettingsOf(duckdb::ClientContext &context) {
	std::map<std::string, std::string> result;
	for (auto &name : ResultSettingNames()) {
		duckdb::Value value;
		if (context.TryGetCurrentSetting(name, value) && !value.IsNull()) {
			result[name] = value.ToString();
		}
	}
	return result;
}

} // namespace duckherder
