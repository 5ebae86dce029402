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
		auto placement = PlaceOperators(*connection.context, *plan, options, {});
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
	         Row {"SELECT k FROM t WHERE g = 1", ""},
	         Row {"SELECT 42", ""},
	         Row {"SELECT sum(v) FROM t", ""},
	         Row {"SELECT g, sum(v) FROM t GROUP BY g", ""},
	         Row {"SELECT k, sum(v) FROM t GROUP BY k", ""},
	         Row {"SELECT g, median(v) FROM t GROUP BY g", ""},
	         Row {"SELECT median(v) FROM t", ""},
	         Row {"SELECT DISTINCT g FROM t", ""},
	         Row {"SELECT DISTINCT ON (g) g, v FROM t", ""},
	         Row {"SELECT v FROM t ORDER BY v", ""},
	         Row {"SELECT v FROM t ORDER BY v LIMIT 3", ""},
	         Row {"SELECT v FROM t LIMIT 3", ""},
	         Row {"SELECT sum(v) FROM (SELECT v FROM t LIMIT 30)", ""},
	         Row {"SELECT sum(v) OVER (PARTITION BY g) FROM t", ""},
	         Row {"SELECT sum(v) OVER (ORDER BY v) FROM t", ""},
	         Row {"SELECT k FROM t UNION ALL SELECT k FROM u", ""},
	         Row {"SELECT sum(k) FROM (SELECT k FROM t UNION ALL SELECT k FROM u)", ""},
	         Row {"SELECT k FROM t INTERSECT SELECT k FROM u", ""},
	         Row {"SELECT * FROM t JOIN small USING (k)", ""},
	         Row {"SELECT * FROM t JOIN u USING (k)", ""},
	         Row {"SELECT k, count(*) FROM t JOIN u USING (k) GROUP BY k", ""},
	         Row {"SELECT * FROM t FULL JOIN small USING (k)", ""},
	         Row {"SELECT * FROM t JOIN u ON t.v < u.v", ""},
	         Row {"SELECT k, (SELECT max(v) FROM u WHERE u.g = t.g) FROM t", ""},
	         Row {"WITH c AS MATERIALIZED (SELECT g, sum(v) AS v FROM t GROUP BY g) SELECT * FROM c a JOIN c b ON a.g "
	              "= b.v",
	              ""},
	         Row {"SELECT nextval('numbers') FROM t", ""},
	     }) {
		EXPECT_EQ(Place(row.sql), row.decisions) << row.sql;
	}
}

} // namespace
} // namespace duckherder
