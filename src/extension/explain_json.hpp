#pragma once

#include "extension/explain_facts.hpp"

#include <string>

namespace duckherder {

//! What EXPLAIN (FORMAT json) shows: the facts of TextOf under names. What is not known is null or left out.
std::string JsonOf(const QueryFacts &facts);

} // namespace duckherder
