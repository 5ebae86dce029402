#pragma once

#include "extension/explain_facts.hpp"

#include <string>

namespace duckherder {

//! What EXPLAIN shows for people: the verdict, then the session with the tree of stages below it, as wide as it needs.
std::string TextOf(const QueryFacts &facts);

} // namespace duckherder
