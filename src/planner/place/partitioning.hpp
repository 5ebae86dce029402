#pragma once

#include "compat/names.hpp"
#include "planner/place/choose_joins.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_comparison_join.hpp"

#include <optional>

namespace duckherder {

//! The column that an expression just names, if it does no more than that
duckdb::optional_ptr<const duckdb::ColumnBinding> AsColumn(const duckdb::Expression &expression);

//! The column whose values an expression shows one to one: itself, or as the optimizer makes it smaller
duckdb::optional_ptr<const duckdb::ColumnBinding> AsOneToOne(const duckdb::Expression &expression);

duckdb::vector<duckdb::reference<duckdb::Expression>>
References(const duckdb::vector<duckdb::unique_ptr<duckdb::Expression>> &expressions);

//! What is known of how the rows of an open stage are spread over its tasks: by the hash of columns, in this order.
//! Rows with equal values in all columns of a list are then in the same task. Several lists: each holds (both sides of
//! an inner join's keys). No list: nothing is known.
class Partitioning {
public:
	using Columns = duckdb::vector<duckdb::ColumnBinding>;

	Partitioning() = default;
	explicit Partitioning(Columns columns);
	//! Nothing if one of the keys is more than a column
	static Partitioning By(const duckdb::vector<duckdb::reference<duckdb::Expression>> &keys);

	const duckdb::vector<Columns> &Alternatives() const {
		return alternatives;
	}

	//! A column whose equal values are in one task because the scan is cut between its values. Unlike a hash, that says
	//! nothing of where other rows with the value are.
	struct Clustered {
		//! The column as it is seen here
		duckdb::ColumnBinding binding;
		//! The scan, and the column's number there
		duckdb::idx_t table_index;
		duckdb::idx_t column;
	};
	void AddClustered(const Clustered &column);
	bool IsClustered() const {
		return !clustered.empty();
	}
	//! What holds if the scan is cut by this column only, and `aligned` ones by the same ranges of their only one
	Partitioning OnlyBy(const Clustered &column, const duckdb::vector<duckdb::idx_t> &aligned) const;
	//! The scan's column that brings together rows which are equal in all of these, if the scan is cut by it
	duckdb::optional_ptr<const Clustered>
	FindClustered(const duckdb::vector<duckdb::reference<duckdb::Expression>> &keys) const;

	//! Columns by which scans of both sides are cut, and that a condition of the join compares
	struct ClusteredPair;
	static std::optional<ClusteredPair> FindCompared(const Partitioning &left, const Partitioning &right,
	                                                 const JoinKeys &keys);

	//! Rows that are equal in all of these are in the same task, by hash
	bool BringsTogether(const duckdb::vector<duckdb::reference<duckdb::Expression>> &keys) const;

	//! What is left of it above an operator that shows these expressions as columns of its own: a projection, the
	//! groups of an aggregate. Filters and everything else that shows its child's columns keep it.
	Partitioning Above(duckdb::TableIndex table_index,
	                   const duckdb::vector<duckdb::reference<duckdb::Expression>> &columns_above) const;

private:
	duckdb::vector<Columns> alternatives;
	duckdb::vector<Clustered> clustered;

	friend Partitioning OfShuffledJoin(const duckdb::LogicalComparisonJoin &join, const JoinKeys &keys);
};

struct Partitioning::ClusteredPair {
	Clustered left;
	Clustered right;
};

//! How the two sides of a join by equality meet in the same tasks.
struct JoinMatch {
	//! The sides that need not move
	bool left_in_place = false;
	bool right_in_place = false;
	//! Numbers of the equality conditions that the sides are partitioned by, in that order
	duckdb::vector<duckdb::idx_t> conditions;
};

//! Finds what the sides are partitioned by already among the equality conditions of the join. If there is nothing, both
//! sides have to be shuffled by all of them.
JoinMatch MatchPartitioning(const Partitioning &left, const Partitioning &right, const JoinKeys &keys);

//! How the rows of a join are spread whose sides were brought together by these keys: a side whose rows may be filled
//! up with NULL says nothing.
Partitioning OfShuffledJoin(const duckdb::LogicalComparisonJoin &join, const JoinKeys &keys);

//! How the rows of a join are spread whose sides are cut by the same ranges of these columns.
Partitioning OfAlignedJoin(const duckdb::LogicalComparisonJoin &join, const Partitioning::ClusteredPair &by);

} // namespace duckherder
