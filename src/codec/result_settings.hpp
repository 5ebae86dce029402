#pragma once

#include <string>
#include <vector>

namespace duckherder {

//! Settings of a session that change what a fragment returns, when it runs or when its functions are bound again. Only
//! these travel with tasks; a worker refuses all others, since a setting may open files or load code.
const std::vector<std::string> &ResultSettingNames();
bool IsResultSetting(const std::string &name);

} // namespace duckherder
