#include "planner/place/placement.hpp"

#include "duckdb.hpp"
#include "duckdb/common/enum_util.hpp"
#include "duckdb/optimizer/optimizer.hpp"
#include "duckdb/parser/parser.hpp"
#include "duckdb/planner/planner.hpp"

#include <gtest/gtest.h>

namespace duckherder {
namespace {

const char *Name(Placement placement) {
	switch (placement) {
	case Placement::SESSION:
		return "session";
	case Placement::WORKERS:
		return "workers";
	case Placement::SINGLE:
		return "single";
	default:
		return "anywhere";
	}
}

std::string Name(PlacementStep step) {
	switch (step) {
	case PlacementStep::SPLIT_AGGREGATE:
		return " split";
	case PlacementStep::LOCAL_DISTINCT:
	case PlacementStep::LOCAL_ORDER:
		return " local";
	case PlacementStep::SHUFFLE_JOIN:
		return " shuffle";
	default:
		return "";
	}
}

std::string Name(const NeededExchange &exchange) {
	auto text = std::string(ExchangeKindName(exchange.kind)) + (exchange.ordered ? " ordered" : "");
	return exchange.keys.empty() ? text : text + " by " + std::to_string(exchange.keys.size());
}

//! The decisions about the operators for which there is something to do, from the scans up.
void Describe(const duckdb::LogicalOperator &op, const PlanPlacement &plan, duckdb::vector<std::string> &lines) {
	for (auto &child : op.children) {
		Describe(*child, plan, lines);
	}
	auto found = plan.operators.find(&op);
	if (found == plan.operators.end()) {
		return;
	}
	auto &placed = found->second;
	auto step = Name(placed.step) + (placed.shares_delim_join ? " shares source" : "");
	if (step.empty() && placed.exchanges.empty()) {
		return;
	}
	auto line = duckdb::LogicalOperatorToString(op.type) + ": " + Name(placed.placement) + step;
	for (auto &entry : placed.exchanges) {
		line += ", " + std::to_string(entry.first) + " " + Name(entry.second);
	}
	lines.push_back(line);
}

class PlacementOfPlans : public testing::Test {
protected:
	PlacementOfPlans() : db(nullptr), connection(db) {
		for (auto sql :
		     {"CREATE TABLE t AS SELECT i AS k, i % 7 AS g, i AS v, 'text ' || i AS s FROM range(50000) r(i)",
		      "CREATE TABLE u AS SELECT i AS k, i % 9 AS g, i AS v FROM range(40000) r(i)", "CREATE SEQUENCE numbers",
		      "CREATE TABLE small AS SELECT i AS k, i AS v FROM range(10) r(i)"}) {
			EXPECT_FALSE(connection.Query(sql)->HasError()) << sql;
		}
		connection.BeginTransaction();
	}

	//! What is decided, and the reason why something stays in the session if it does
	std::string Place(const std::string &sql) {
		duckdb::Parser parser;
		parser.ParseQuery(sql);
		duckdb::Planner planner(*connection.context);
		planner.CreatePlan(std::move(parser.statements[0]));
		duckdb::Optimizer optimizer(*planner.binder, *connection.context);
		auto plan = optimizer.Optimize(std::move(planner.plan));
		plan->ResolveOperatorTypes();
		auto before = plan->ToString();
		PlannerOptions options;
		options.workers = 3;
		options.broadcast_limit_bytes = 10000;
		auto placement = PlaceOperators(*connection.context, *plan, options, {}, {});
		EXPECT_EQ(plan->ToString(), before) << "The analysis changes nothing";
		duckdb::vector<std::string> lines;
		Describe(*plan, placement, lines);
		if (placement.root_exchange) {
			lines.push_back(Name(*placement.root_exchange));
		}
		lines.push_back(placement.reason.empty() ? placement.merge_strategy : "because " + placement.reason);
		return duckdb::StringUtil::Join(lines, "; ");
	}

	duckdb::DuckDB db;
	duckdb::Connection connection;
};

TEST_F(PlacementOfPlans, SaysWhatHasToHappenAtEachOperator) {
	struct Row {
		const char *sql;
		const char *decisions;
	};
	for (auto &row : {
	         Row {"SELECT k FROM t WHERE g = 1", "RESULT ordered; CONCAT"},
	         Row {"SELECT 42", "CONCAT"},
	         Row {"SELECT sum(v) FROM t", "AGGREGATE: session split, 0 RESULT; AGGREGATE"},
	         Row {"SELECT g, sum(v) FROM t GROUP BY g", "AGGREGATE: session split, 0 RESULT; AGGREGATE"},
	         Row {"SELECT k, sum(v) FROM t GROUP BY k", "AGGREGATE: workers split, 0 HASH; RESULT ordered; CONCAT"},
	         Row {"SELECT g, median(v) FROM t GROUP BY g", "AGGREGATE: workers, 0 HASH by 1; RESULT ordered; CONCAT"},
	         Row {"SELECT median(v) FROM t", "AGGREGATE: single, 0 GATHER; RESULT ordered; CONCAT"},
	         Row {"SELECT DISTINCT g FROM t", "DISTINCT: workers local, 0 HASH by 1; RESULT ordered; CONCAT"},
	         Row {"SELECT DISTINCT ON (g) g, v FROM t",
	              "DISTINCT: session, 0 RESULT ordered; because DISTINCT ON without ORDER BY takes the first row, "
	              "which only one node can know"},
	         Row {"SELECT v FROM t ORDER BY v", "ORDER_BY: session local, 0 RESULT ordered; ORDER"},
	         Row {"SELECT v FROM t ORDER BY v LIMIT 3", "TOP_N: session local, 0 RESULT; TOP_N"},
	         Row {"SELECT v FROM t LIMIT 3", "LIMIT: session local, 0 RESULT ordered; LIMIT"},
	         Row {"SELECT sum(v) FROM (SELECT v FROM t LIMIT 30)",
	              "LIMIT: single local, 0 GATHER ordered; RESULT ordered; CONCAT"},
	         Row {"SELECT sum(v) OVER (PARTITION BY g) FROM t",
	              "AGGREGATE: workers split, 0 HASH; COMPARISON_JOIN: workers shuffle, 0 HASH ordered by 1, 1 HASH by "
	              "1; RESULT ordered; CONCAT"},
	         Row {"SELECT sum(v) OVER (ORDER BY v) FROM t",
	              "WINDOW: session, 0 RESULT ordered; because a window without a common PARTITION BY needs all rows at "
	              "one place"},
	         Row {"SELECT k FROM t UNION ALL SELECT k FROM u",
	              "UNION: session, 0 RESULT ordered, 1 RESULT ordered; CONCAT"},
	         Row {"SELECT sum(k) FROM (SELECT k FROM t UNION ALL SELECT k FROM u)",
	              "UNION: workers, 0 ROUND_ROBIN, 1 ROUND_ROBIN; AGGREGATE: session split, 0 RESULT; AGGREGATE"},
	         Row {"SELECT k FROM t INTERSECT SELECT k FROM u",
	              "INTERSECT: workers, 0 HASH, 1 HASH; DISTINCT: workers local, 0 HASH by 1; RESULT ordered; CONCAT"},
	         Row {"SELECT * FROM t JOIN small USING (k)",
	              "COMPARISON_JOIN: workers, 1 BROADCAST ordered; RESULT ordered; CONCAT"},
	         Row {"SELECT * FROM t JOIN u USING (k)",
	              "COMPARISON_JOIN: workers shuffle, 0 HASH ordered by 1, 1 HASH by 1; RESULT ordered; CONCAT"},
	         Row {"SELECT k, count(*) FROM t JOIN u USING (k) GROUP BY k",
	              "COMPARISON_JOIN: workers shuffle, 0 HASH by 1, 1 HASH by 1; AGGREGATE: workers split, 0 HASH; "
	              "RESULT ordered; CONCAT"},
	         Row {"SELECT * FROM t FULL JOIN small USING (k)",
	              "COMPARISON_JOIN: workers shuffle, 0 HASH ordered by 1, 1 HASH by 1; RESULT ordered; CONCAT"},
	         Row {"SELECT * FROM t JOIN u ON t.v < u.v",
	              "COMPARISON_JOIN: workers, 1 BROADCAST ordered; RESULT ordered; CONCAT"},
	         Row {"SELECT k, (SELECT max(v) FROM u WHERE u.g = t.g) FROM t",
	              "AGGREGATE: workers split, 0 HASH; COMPARISON_JOIN: workers shuffle, 0 HASH ordered by 1, 1 HASH by "
	              "1; RESULT ordered; CONCAT"},
	         Row {"WITH c AS MATERIALIZED (SELECT g, sum(v) AS v FROM t GROUP BY g) SELECT * FROM c a JOIN c b ON a.g "
	              "= b.v",
	              "AGGREGATE: workers split, 0 HASH; CTE: single, 0 GATHER ordered; RESULT ordered; CONCAT"},
	         Row {"SELECT nextval('numbers') FROM t",
	              "PROJECTION: session, 0 RESULT ordered; because the function nextval has state of its own"},
	     }) {
		EXPECT_EQ(Place(row.sql), row.decisions) << row.sql;
	}
}

} // namespace
} // namespace duckherder
