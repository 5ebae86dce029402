#include "engine/operator_traits.hpp"

#include <gtest/gtest.h>

#include <map>

namespace duckherder {

using duckdb::LogicalOperatorType;

TEST(OperatorTraits, OnlyWhatHasBeenLookedAtIsAllowed) {
	std::map<OperatorEffect, size_t> counts;
	for (int value = 0; value <= 255; value++) {
		auto type = static_cast<LogicalOperatorType>(value);
		auto traits = TraitsOf(type);
		counts[traits.effect]++;
		auto queries = traits.effect == OperatorEffect::QUERIES;
		auto changes_rows = traits.effect == OperatorEffect::CHANGES_ROWS;
		// A task never changes anything, and what stays in the session is no part of a plan that travels.
		EXPECT_TRUE(!traits.on_worker || (queries && traits.at_site)) << LogicalOperatorToString(type);
		EXPECT_TRUE(!traits.at_site || queries || changes_rows) << LogicalOperatorToString(type);
		EXPECT_TRUE(!changes_rows || traits.at_site) << LogicalOperatorToString(type);
	}
	// Whoever lets clients do more changes these numbers.
	EXPECT_EQ(counts[OperatorEffect::QUERIES], 31U);
	EXPECT_EQ(counts[OperatorEffect::CHANGES_ROWS], 5U);
	EXPECT_EQ(counts[OperatorEffect::DEFINES], 8U);
	EXPECT_EQ(counts[OperatorEffect::OF_SESSION], 4U);
}

TEST(OperatorTraits, WhatIsNoPartOfAQueryIsForTheDriversOwnSessions) {
	for (auto type :
	     {LogicalOperatorType::LOGICAL_COPY_TO_FILE, LogicalOperatorType::LOGICAL_COPY_DATABASE,
	      LogicalOperatorType::LOGICAL_PRAGMA, LogicalOperatorType::LOGICAL_ATTACH, LogicalOperatorType::LOGICAL_DETACH,
	      LogicalOperatorType::LOGICAL_PREPARE, LogicalOperatorType::LOGICAL_EXECUTE,
	      LogicalOperatorType::LOGICAL_EXPORT, LogicalOperatorType::LOGICAL_VACUUM, LogicalOperatorType::LOGICAL_LOAD,
	      LogicalOperatorType::LOGICAL_UPDATE_EXTENSIONS, LogicalOperatorType::LOGICAL_CREATE_SECRET,
	      LogicalOperatorType::LOGICAL_EXTENSION_OPERATOR}) {
		EXPECT_EQ(TraitsOf(type).effect, OperatorEffect::OTHER) << LogicalOperatorToString(type);
	}
}

} // namespace duckherder
