#include "planner/place/aligned_scans.hpp"

#include "common/contains.hpp"
#include "planner/split/clustered_scan.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

namespace {

//! Nothing relies on the scan being cut by another column than this one.
bool IsFree(const InPlaceScans &scans, idx_t table_index, idx_t column) {
	auto found = scans.columns.find(table_index);
	return found == scans.columns.end() || found->second == vector<idx_t> {column};
}

} // namespace

vector<idx_t> InPlaceScans::AlignedWith(idx_t table_index) const {
	for (auto &group : aligned) {
		if (Contains(group, table_index)) {
			return group;
		}
	}
	return {};
}

void InPlaceScans::CutBy(const Partitioning::Clustered &column) {
	auto &by = columns[column.table_index];
	if (!Contains(by, column.column)) {
		by.push_back(column.column);
	}
}

bool Align(InPlaceScans &scans, const ClusteredScans &clustered, const Partitioning::Clustered &left,
           const Partitioning::Clustered &right, const PlannerOptions &options) {
	if (!IsFree(scans, left.table_index, left.column) || !IsFree(scans, right.table_index, right.column)) {
		return false;
	}
	if (left.table_index == right.table_index) {
		// values of a scan are compared with distinct ones of its own
		if (left.column == right.column) {
			scans.CutBy(left);
		}
		return left.column == right.column;
	}
	if (Contains(scans.AlignedWith(left.table_index), right.table_index)) {
		return true;
	}
	InPlaceScans result = scans;
	vector<idx_t> group;
	for (auto &side : {left, right}) {
		result.CutBy(side);
		auto with = result.AlignedWith(side.table_index);
		result.aligned.erase(std::remove(result.aligned.begin(), result.aligned.end(), with), result.aligned.end());
		group.insert(group.end(), with.begin(), with.end());
		if (with.empty()) {
			group.push_back(side.table_index);
		}
	}
	std::sort(group.begin(), group.end(), [&](idx_t first, idx_t second) {
		return clustered.at(first)->TotalRows() > clustered.at(second)->TotalRows();
	});
	vector<KeyedScan> keyed;
	for (auto table_index : group) {
		keyed.push_back({clustered.at(table_index), result.columns.at(table_index)[0]});
	}
	auto &type = clustered.at(left.table_index)->columns.at(left.column).type;
	auto least = MaxValue<idx_t>(options.workers, 2);
	if (type != clustered.at(right.table_index)->columns.at(right.column).type ||
	    CutByKey(keyed, least, MaxValue<idx_t>(options.MaxTasks(), least)).empty()) {
		return false;
	}
	result.aligned.push_back(std::move(group));
	scans = std::move(result);
	return true;
}

} // namespace duckherder
