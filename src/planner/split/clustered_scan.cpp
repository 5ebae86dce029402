#include "planner/split/clustered_scan.hpp"

#include "engine/bound_scan.hpp"
#include "engine/parquet_file.hpp"

#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/function/partition_stats.hpp"
#include "duckdb/storage/statistics/numeric_stats.hpp"

#include <algorithm>
#include <optional>

namespace duckherder {

using namespace duckdb;

namespace {

//! A column is given up if no two neighbours among so many row groups are apart: it is not what the file is sorted by
constexpr idx_t GROUPS_TRIED = 16;
//! The largest piece may have so many times the rows of an average one, in percent
constexpr idx_t LARGEST_PIECE_PERCENT = 150;

//! Between the bounds that a footer has of these lie all values, in the order in which DuckDB compares them
bool HasBounds(const LogicalType &type) {
	switch (type.id()) {
	case LogicalTypeId::TINYINT:
	case LogicalTypeId::SMALLINT:
	case LogicalTypeId::INTEGER:
	case LogicalTypeId::BIGINT:
	case LogicalTypeId::UTINYINT:
	case LogicalTypeId::USMALLINT:
	case LogicalTypeId::UINTEGER:
	case LogicalTypeId::UBIGINT:
	case LogicalTypeId::DATE:
	case LogicalTypeId::TIMESTAMP:
	case LogicalTypeId::TIMESTAMP_TZ:
		return true;
	case LogicalTypeId::DECIMAL:
		return type.InternalType() != PhysicalType::INT128;
	default:
		return false;
	}
}

//! Smallest and largest value of one row group
struct Bounds {
	Value min;
	Value max;
};

//! Whether each and all after it have larger values than all before it, or smaller ones
vector<bool> ApartFromAllBefore(const vector<Bounds> &bounds) {
	// of those from each one on
	auto rest = bounds;
	for (idx_t i = bounds.size(); i-- > 1;) {
		rest[i - 1].min = std::min(rest[i - 1].min, rest[i].min);
		rest[i - 1].max = std::max(rest[i - 1].max, rest[i].max);
	}
	vector<bool> result(bounds.size(), false);
	auto before = bounds[0];
	for (idx_t i = 1; i < bounds.size(); i++) {
		result[i] = before.max < rest[i].min || rest[i].max < before.min;
		before.min = std::min(before.min, bounds[i].min);
		before.max = std::max(before.max, bounds[i].max);
	}
	return result;
}

//! What is known of the row groups of a scan's only file, without those that have no rows
class GroupBounds {
public:
	GroupBounds(ClientContext &context, LogicalGet &get_p) : get(get_p) {
		auto partition_stats = PartitionStatsOf(context, get.function);
		auto &bind_data = get.bind_data->Cast<MultiFileBindData>();
		if (!partition_stats || !bind_data.initial_reader || bind_data.file_list->GetTotalFileCount() != 1 ||
		    bind_data.file_list->GetFirstFile().path != bind_data.initial_reader->GetFileName() ||
		    !HasOrderedBounds(*bind_data.initial_reader)) {
			return;
		}
		GetPartitionStatsInput input(get.function, get.bind_data.get());
		for (auto &group : partition_stats(context, input)) {
			if (!group.partition_row_group || !group.row_start.IsValid()) {
				groups.clear();
				return;
			}
			if (group.count > 0) {
				row_groups.push_back({0, group.row_start.GetIndex(), group.count});
				groups.push_back(std::move(group));
			}
		}
	}

	const vector<RowGroupInfo> &RowGroups() const {
		return row_groups;
	}

	//! Whether the file's column of this number is what the scan returns under that number
	bool IsFileColumn(idx_t column) const {
		auto &bind_data = get.bind_data->Cast<MultiFileBindData>();
		auto &file_columns = bind_data.initial_reader->GetColumns();
		if (column >= file_columns.size() || column >= get.names.size() ||
		    !StringUtil::CIEquals(file_columns[column].name, get.names[column]) ||
		    file_columns[column].type != get.returned_types[column]) {
			return false;
		}
		auto &of_path = bind_data.reader_bind.hive_partitioning_indexes;
		return std::none_of(of_path.begin(), of_path.end(), [&](auto &hive) { return hive.index == column; });
	}

	//! Between which row groups no value of the column is shared: `true` at a row group that begins with new ones.
	//! Empty if it is not known, or if the column is not sorted at all.
	vector<bool> FreshValues(idx_t column) const {
		vector<Bounds> bounds;
		auto any_apart = false;
		for (auto &group : groups) {
			auto found = BoundsOf(group, column);
			if (!found) {
				return {};
			}
			any_apart =
			    any_apart || (!bounds.empty() && (bounds.back().max < found->min || found->max < bounds.back().min));
			bounds.push_back(std::move(*found));
			if (bounds.size() == GROUPS_TRIED && !any_apart) {
				return {};
			}
		}
		return ApartFromAllBefore(bounds);
	}

private:
	LogicalGet &get;
	vector<PartitionStatistics> groups;
	vector<RowGroupInfo> row_groups;

	static std::optional<Bounds> BoundsOf(const PartitionStatistics &group, idx_t column) {
		StorageIndex index(column);
		auto statistics = group.partition_row_group->GetColumnStatistics(index);
		if (!statistics || statistics->CanHaveNull() || !NumericStats::HasMinMax(*statistics)) {
			return std::nullopt;
		}
		return Bounds {NumericStats::Min(*statistics), NumericStats::Max(*statistics)};
	}
};

vector<idx_t> BordersOf(const vector<bool> &fresh) {
	vector<idx_t> result;
	for (idx_t i = 0; i < fresh.size(); i++) {
		if (fresh[i]) {
			result.push_back(i);
		}
	}
	return result;
}

} // namespace

vector<idx_t> ClusteredColumnsOf(ClientContext &context, LogicalGet &get, const vector<idx_t> &candidates,
                                 const PlannerOptions &options) {
	vector<idx_t> result;
	auto has_bounds = [&](idx_t column) {
		return column < get.returned_types.size() && HasBounds(get.returned_types[column]);
	};
	if (std::none_of(candidates.begin(), candidates.end(), has_bounds)) {
		return result;
	}
	GroupBounds known(context, get);
	if (known.RowGroups().size() < 2) {
		return result;
	}
	vector<bool> common(known.RowGroups().size(), true);
	for (auto column : candidates) {
		if (!has_bounds(column) || !known.IsFileColumn(column)) {
			continue;
		}
		auto fresh = known.FreshValues(column);
		if (fresh.empty()) {
			continue;
		}
		for (idx_t i = 0; i < fresh.size(); i++) {
			fresh[i] = fresh[i] && common[i];
		}
		auto least = MaxValue<idx_t>(options.workers, 2);
		if (BalancedPieces(known.RowGroups(), BordersOf(fresh), least, MaxValue<idx_t>(options.MaxTasks(), least)) >
		    0) {
			common = std::move(fresh);
			result.push_back(column);
		}
	}
	return result;
}

vector<idx_t> BordersBetweenValues(ClientContext &context, LogicalGet &get, const vector<idx_t> &columns) {
	GroupBounds known(context, get);
	vector<bool> common(known.RowGroups().size(), true);
	for (auto column : columns) {
		auto fresh = known.FreshValues(column);
		if (fresh.empty()) {
			throw IOException("The order of %s is not known any more: run the query again",
			                  get.bind_data->Cast<MultiFileBindData>().file_list->GetFirstFile().path);
		}
		for (idx_t i = 0; i < fresh.size(); i++) {
			common[i] = common[i] && fresh[i];
		}
	}
	return BordersOf(common);
}

vector<idx_t> CutAtBorders(const vector<RowGroupInfo> &row_groups, const vector<idx_t> &borders, idx_t pieces) {
	auto start = [&](idx_t group) { return row_groups[group].row_start; };
	auto total = row_groups.back().row_start + row_groups.back().rows;
	vector<idx_t> result {0};
	for (idx_t i = 1; i < pieces; i++) {
		auto target = total * i / pieces;
		auto next = std::lower_bound(borders.begin(), borders.end(), target,
		                             [&](idx_t border, idx_t row) { return start(border) < row; });
		auto has_previous = next != borders.begin() && *std::prev(next) > result.back();
		if (next == borders.end() || (has_previous && target - start(*std::prev(next)) < start(*next) - target)) {
			next = has_previous ? std::prev(next) : borders.end();
		}
		if (next != borders.end() && *next > result.back()) {
			result.push_back(*next);
		}
	}
	return result;
}

idx_t BalancedPieces(const vector<RowGroupInfo> &row_groups, const vector<idx_t> &borders, idx_t least, idx_t most) {
	auto total = row_groups.back().row_start + row_groups.back().rows;
	for (auto pieces = MinValue<idx_t>(most, borders.size() + 1); pieces >= least && pieces > 0; pieces--) {
		auto begins = CutAtBorders(row_groups, borders, pieces);
		idx_t largest = 0;
		for (idx_t i = 0; i < begins.size(); i++) {
			auto end = i + 1 < begins.size() ? row_groups[begins[i + 1]].row_start : total;
			largest = MaxValue<idx_t>(largest, end - row_groups[begins[i]].row_start);
		}
		if (begins.size() == pieces && largest * 100 <= total / pieces * LARGEST_PIECE_PERCENT) {
			return pieces;
		}
	}
	return 0;
}

} // namespace duckherder
