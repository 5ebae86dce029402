#pragma once

#include "duckdb.hpp"

#include <map>
#include <string>
#include <vector>

namespace duckherder {

//! Settings of a session that change what a fragment returns, when it runs or when its functions are bound again. Only
//! these travel with tasks; a worker refuses all others, since a setting may open files or load code.
const std::vector<std::string> &ResultSettingNames();
bool IsResultSetting(const std::string &name);
//! Their values
std::map<std::string, std::string> ResultSettingsOf(duckdb::ClientContext &context);

} // namespace duckherder
