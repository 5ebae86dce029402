#pragma once

#include "extension/explain_facts.hpp"

#include <string>
#include <vector>

namespace duckherder {

//! Says in at most three sentences where the time of a query went and what would help, the most important first. Fixed
//! rules over the facts: what they do not tell is left out. Empty if there is nothing to say.
std::vector<std::string> VerdictOf(const QueryFacts &facts);

} // namespace duckherder
