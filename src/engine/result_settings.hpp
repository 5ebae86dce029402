#pragma once

#include "duckdb.hpp"

#include <string>
#include <utility>
#include <vector>

namespace duckherder {

//! Names and values, as SET name = 'value'
using ResultSettings = std::vector<std::pair<std::string, std::string>>;

//! Settings of a session that change what a fragment or a statement returns (result_settings.def). Only these travel; a
//! worker and a driver refuse all others, since a setting may open files or load code. A database whose configuration
//! is locked has to list them in allowed_configs.
const std::vector<std::string> &ResultSettingNames();
bool IsResultSetting(const std::string &name);

//! All of them with their values, whoever has set them and whether or not they are this process's defaults: another
//! process may have other ones.
ResultSettings ResultSettingsOf(duckdb::ClientContext &context);

//! Gives a connection these values, unless it has them. The caller is the only one that uses the connection. Throws
//! InvalidInputException for a setting that does not travel, and what SET throws, which then begins with `where`.
void ApplyResultSettings(duckdb::Connection &connection, const ResultSettings &settings, const std::string &where);

} // namespace duckherder
