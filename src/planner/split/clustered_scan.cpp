#include "planner/split/clustered_scan.hpp"

#include "engine/bound_scan.hpp"
#include "engine/key_order.hpp"
#include "engine/parquet_file.hpp"
#include "planner/split/partition_information.hpp"

#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/function/partition_stats.hpp"
#include "duckdb/storage/statistics/numeric_stats.hpp"

#include <algorithm>
#include <optional>

namespace duckherder {

using namespace duckdb;

namespace {

//! A column is given up if no two neighbours among so many row groups are in order: it is not what the file is sorted
//! by
constexpr idx_t GROUPS_TRIED = 16;
//! The largest piece may have so many times the rows of an average one, in percent
constexpr idx_t LARGEST_PIECE_PERCENT = 150;

//! Of all rows that the scans read, so many may be read by a second task, in percent
constexpr idx_t READ_TWICE_PERCENT = 25;

//! What the bounds before and from a border on say of it
enum class Border {
	MIXED,    //! Values lie on both sides.
	TOUCHING, //! One value may lie on both.
	APART     //! None does.
};

//! For each row group, what it is to cut before it
vector<Border> BordersOf(const vector<KeyBounds> &bounds) {
	// of those from each one on
	auto rest = bounds;
	for (idx_t i = bounds.size(); i-- > 1;) {
		rest[i - 1].min = std::min(rest[i - 1].min, rest[i].min);
		rest[i - 1].max = std::max(rest[i - 1].max, rest[i].max);
	}
	vector<Border> result(bounds.size(), Border::MIXED);
	auto before = bounds[0];
	for (idx_t i = 1; i < bounds.size(); i++) {
		if (before.max < rest[i].min || rest[i].max < before.min) {
			result[i] = Border::APART;
		} else if (before.max == rest[i].min || rest[i].max == before.min) {
			result[i] = Border::TOUCHING;
		}
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
		    bind_data.file_list->GetFirstFile().path != bind_data.initial_reader->GetFileName()) {
			return;
		}
		reader = bind_data.initial_reader;
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

	//! The bounds of all row groups; empty if they are not known, or if the column is not sorted at all.
	vector<KeyBounds> BoundsOf(idx_t column) const {
		vector<KeyBounds> bounds;
		if (groups.empty() || !HasOrderedBounds(*reader, groups, column)) {
			return bounds;
		}
		auto any_sorted = false;
		for (auto &group : groups) {
			auto found = BoundsOf(group, column);
			if (!found) {
				return {};
			}
			any_sorted =
			    any_sorted || (!bounds.empty() && (bounds.back().max <= found->min || found->max <= bounds.back().min));
			bounds.push_back(*found);
			if (bounds.size() == GROUPS_TRIED && !any_sorted) {
				return {};
			}
		}
		return bounds;
	}

private:
	LogicalGet &get;
	//! Null if nothing is known
	shared_ptr<BaseFileReader> reader;
	vector<PartitionStatistics> groups;
	vector<RowGroupInfo> row_groups;

	static std::optional<KeyBounds> BoundsOf(const PartitionStatistics &group, idx_t column) {
		StorageIndex index(column);
		auto statistics = group.partition_row_group->GetColumnStatistics(index);
		if (!statistics || statistics->CanHaveNull() || !NumericStats::HasMinMax(*statistics)) {
			return std::nullopt;
		}
		return KeyBounds {KeyOf(NumericStats::Min(*statistics)), KeyOf(NumericStats::Max(*statistics))};
	}
};

//! The next number of pieces to try, 0 after the last one: with thousands of workers not each of them
idx_t FewerPieces(idx_t pieces, idx_t least) {
	constexpr idx_t STEPS = 16;
	return pieces <= least ? 0 : MaxValue(pieces - MaxValue<idx_t>(pieces / STEPS, 1), least);
}

vector<idx_t> ColumnsOf(const ClusteredScan &scan) {
	vector<idx_t> result;
	for (auto &entry : scan.columns) {
		result.push_back(entry.first);
	}
	return result;
}

//! By each of its columns, and by all of them at once
bool CanBeCut(const std::shared_ptr<ClusteredScan> &scan, const PlannerOptions &options) {
	auto least = MaxValue<idx_t>(options.workers, 2);
	auto most = MaxValue<idx_t>(options.MaxTasks(), least);
	auto columns = ColumnsOf(*scan);
	return BalancedPieces(scan->row_groups, BordersBetweenValues(*scan, columns), least, most) > 0 ||
	       (columns.size() == 1 && !CutByKey({{scan, columns[0]}}, least, most).empty());
}

} // namespace

std::shared_ptr<const ClusteredScan> FindClusters(ClientContext &context, LogicalGet &get,
                                                  const vector<idx_t> &candidates, const PlannerOptions &options) {
	auto has_order = [&](idx_t column) {
		return column < get.returned_types.size() && HasKeyOrder(get.returned_types[column]);
	};
	if (std::none_of(candidates.begin(), candidates.end(), has_order)) {
		return nullptr;
	}
	GroupBounds known(context, get);
	if (known.RowGroups().size() < 2) {
		return nullptr;
	}
	auto result = std::make_shared<ClusteredScan>();
	result->row_groups = known.RowGroups();
	for (auto column : candidates) {
		auto bounds = has_order(column) && IsColumnOfFile(get, column) ? known.BoundsOf(column) : vector<KeyBounds>();
		if (bounds.empty()) {
			continue;
		}
		result->columns[column] = {get.returned_types[column], std::move(bounds)};
		if (!CanBeCut(result, options)) {
			result->columns.erase(column);
		}
	}
	return result->columns.empty() ? nullptr : result;
}

vector<idx_t> BordersBetweenValues(const ClusteredScan &scan, const vector<idx_t> &columns) {
	vector<bool> common(scan.row_groups.size(), true);
	for (auto column : columns) {
		auto borders = BordersOf(scan.columns.at(column).bounds);
		for (idx_t i = 0; i < borders.size(); i++) {
			common[i] = common[i] && borders[i] == Border::APART;
		}
	}
	vector<idx_t> result;
	for (idx_t i = 0; i < common.size(); i++) {
		if (common[i]) {
			result.push_back(i);
		}
	}
	return result;
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
	for (auto pieces = MinValue<idx_t>(most, borders.size() + 1); pieces >= least && pieces > 0;
	     pieces = FewerPieces(pieces, least)) {
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

namespace {

//! Finds the row groups of one scan that have keys of a range, without looking at all of them.
class RowGroupFinder {
public:
	explicit RowGroupFinder(const vector<KeyBounds> &bounds_p)
	    : bounds(bounds_p), up_to(bounds_p), from(bounds_p), rising(bounds_p.front().min <= bounds_p.back().min) {
		for (idx_t i = 1; i < bounds.size(); i++) {
			up_to[i] = Both(up_to[i - 1], up_to[i]);
		}
		for (idx_t i = bounds.size(); i-- > 1;) {
			from[i - 1] = Both(from[i - 1], from[i]);
		}
	}

	KeyPiece::Part Find(const KeyPiece &piece) const {
		// those before have smaller keys only, or larger ones if they fall; and those behind the other way round
		auto first = std::partition_point(up_to.begin(), up_to.end(), [&](const KeyBounds &before) {
			return rising ? before.max < piece.first_key : before.min > piece.last_key;
		});
		auto end = std::partition_point(from.begin(), from.end(), [&](const KeyBounds &rest) {
			return rising ? rest.min <= piece.last_key : rest.max >= piece.first_key;
		});
		KeyPiece::Part part;
		part.first_group = NumericCast<idx_t>(first - up_to.begin());
		part.end_group = MaxValue<idx_t>(NumericCast<idx_t>(end - from.begin()), part.first_group);
		for (auto group = part.first_group; group < part.end_group; group++) {
			part.has_others =
			    part.has_others || bounds[group].min < piece.first_key || bounds[group].max > piece.last_key;
		}
		return part;
	}

private:
	const vector<KeyBounds> &bounds;
	//! Of each row group and all before it
	vector<KeyBounds> up_to;
	//! Of each row group and all after it
	vector<KeyBounds> from;
	const bool rising;

	static KeyBounds Both(const KeyBounds &left, const KeyBounds &right) {
		return {std::min(left.min, right.min), std::max(left.max, right.max)};
	}
};

KeyBounds BoundsBetween(const vector<KeyBounds> &bounds, idx_t first, idx_t end) {
	auto result = bounds[first];
	for (auto i = first + 1; i < end; i++) {
		result.min = std::min(result.min, bounds[i].min);
		result.max = std::max(result.max, bounds[i].max);
	}
	return result;
}

//! The keys of the pieces whose row groups begin at these; together they are all keys that there are.
vector<KeyPiece> RangesBetween(const vector<KeyBounds> &bounds, const vector<idx_t> &begins) {
	vector<KeyBounds> of_pieces;
	for (idx_t i = 0; i < begins.size(); i++) {
		of_pieces.push_back(BoundsBetween(bounds, begins[i], i + 1 < begins.size() ? begins[i + 1] : bounds.size()));
	}
	auto rising = of_pieces.size() < 2 || of_pieces[0].max <= of_pieces[1].min;
	vector<KeyPiece> result;
	for (idx_t i = 0; i < of_pieces.size(); i++) {
		// each range begins at a key of its own, so that it ends before one of its neighbour
		auto is_first = i == (rising ? 0 : of_pieces.size() - 1);
		auto is_last = i == (rising ? of_pieces.size() - 1 : 0);
		KeyPiece piece;
		piece.first_key = is_first ? NumericLimits<int64_t>::Minimum() : of_pieces[i].min;
		piece.last_key = is_last ? NumericLimits<int64_t>::Maximum() : of_pieces[rising ? i + 1 : i - 1].min - 1;
		result.push_back(std::move(piece));
	}
	return result;
}

idx_t RowsOf(const ClusteredScan &scan, const KeyPiece::Part &part) {
	idx_t rows = 0;
	for (auto group = part.first_group; group < part.end_group; group++) {
		rows += scan.row_groups[group].rows;
	}
	return rows;
}

//! Whether all pieces have something and about as much to read, and few rows are read twice
bool IsWorthwhile(const vector<KeyedScan> &scans, const vector<KeyPiece> &pieces) {
	idx_t total = 0;
	for (auto &keyed : scans) {
		total += keyed.scan->TotalRows();
	}
	idx_t read = 0;
	idx_t largest = 0;
	for (auto &piece : pieces) {
		if (piece.parts[0].first_group == piece.parts[0].end_group) {
			return false;
		}
		idx_t rows = 0;
		for (idx_t i = 0; i < scans.size(); i++) {
			rows += RowsOf(*scans[i].scan, piece.parts[i]);
		}
		read += rows;
		largest = MaxValue(largest, rows);
	}
	return largest * 100 <= read / pieces.size() * LARGEST_PIECE_PERCENT &&
	       read * 100 <= total * (100 + READ_TWICE_PERCENT);
}

} // namespace

vector<KeyPiece> CutByKey(const vector<KeyedScan> &scans, idx_t least, idx_t most) {
	auto &base = scans.at(0);
	auto &bounds = base.scan->columns.at(base.column).bounds;
	auto kinds = BordersOf(bounds);
	vector<idx_t> borders;
	for (idx_t i = 0; i < kinds.size(); i++) {
		if (kinds[i] != Border::MIXED) {
			borders.push_back(i);
		}
	}
	vector<RowGroupFinder> finders;
	for (auto &scan : scans) {
		finders.emplace_back(scan.scan->columns.at(scan.column).bounds);
	}
	for (auto pieces = MinValue<idx_t>(most, borders.size() + 1); pieces >= least && pieces > 0;
	     pieces = FewerPieces(pieces, least)) {
		auto begins = CutAtBorders(base.scan->row_groups, borders, pieces);
		if (begins.size() != pieces) {
			continue;
		}
		auto result = RangesBetween(bounds, begins);
		for (auto &piece : result) {
			for (auto &finder : finders) {
				piece.parts.push_back(finder.Find(piece));
			}
		}
		if (IsWorthwhile(scans, result)) {
			return result;
		}
	}
	return {};
}

} // namespace duckherder
