#include "compat/filters.hpp"

#if DUCKHERDER_DUCKDB_MAJOR < 2

#include "duckdb/planner/filter/conjunction_filter.hpp"
#include "duckdb/planner/filter/constant_filter.hpp"
#include "duckdb/planner/filter/expression_filter.hpp"
#include "duckdb/planner/filter/in_filter.hpp"
#include "duckdb/planner/filter/optional_filter.hpp"
#include "duckdb/planner/filter/struct_filter.hpp"

#include <algorithm>
#include <iterator>

namespace duckherder {

using namespace duckdb;

unique_ptr<TableFilter> CompareFilter(ExpressionType comparison, Value constant) {
	return make_uniq<ConstantFilter>(comparison, std::move(constant));
}

unique_ptr<TableFilter> MayBeOneOfFilter(const LogicalType &, vector<Value> values) {
	return make_uniq<OptionalFilter>(make_uniq<InFilter>(std::move(values)));
}

void PushFilter(LogicalGet &get, idx_t position, unique_ptr<TableFilter> filter) {
	get.table_filters.PushFilter(get.GetColumnIds().at(position), std::move(filter));
}

unique_ptr<TableFilter> CopyFilter(const TableFilter &filter) {
	return filter.Copy();
}

void CopyFilters(const TableFilterSet &filters, TableFilterSet &target) {
	for (auto &filter : filters.filters) {
		target.filters[filter.first] = filter.second->Copy();
	}
}

bool HasFilters(const TableFilterSet &filters) {
	return !filters.filters.empty();
}

idx_t FilterCount(const TableFilterSet &filters) {
	return filters.filters.size();
}

TableFilterSet FiltersByPosition(const LogicalGet &get) {
	TableFilterSet result;
	auto &columns = get.GetColumnIds();
	for (auto &filter : get.table_filters.filters) {
		for (idx_t position = 0; position < columns.size(); position++) {
			if (columns[position].GetPrimaryIndex() == filter.first) {
				result.filters[position] = filter.second->Copy();
				break;
			}
		}
	}
	return result;
}

std::optional<ColumnIndex> FilteredColumn(const LogicalGet &, idx_t key) {
	return ColumnIndex(key);
}

bool IsNeverTrue(const TableFilter &filter, BaseStatistics &statistics) {
	return filter.CheckStatistics(statistics) == FilterPropagateResult::FILTER_ALWAYS_FALSE;
}

void ForEachFilter(const TableFilterSet &filters, const std::function<void(idx_t key, TableFilter &filter)> &visit) {
	for (auto &filter : filters.filters) {
		visit(filter.first, *filter.second);
	}
}

void VisitFilterExpressions(TableFilter &filter, const std::function<void(Expression &)> &visit) {
	switch (filter.filter_type) {
	case TableFilterType::CONJUNCTION_OR:
	case TableFilterType::CONJUNCTION_AND:
		for (auto &child : static_cast<ConjunctionFilter &>(filter).child_filters) {
			VisitFilterExpressions(*child, visit);
		}
		break;
	case TableFilterType::STRUCT_EXTRACT:
		VisitFilterExpressions(*filter.Cast<StructFilter>().child_filter, visit);
		break;
	case TableFilterType::OPTIONAL_FILTER:
		if (auto &child = filter.Cast<OptionalFilter>().child_filter) {
			VisitFilterExpressions(*child, visit);
		}
		break;
	case TableFilterType::EXPRESSION_FILTER:
		visit(*filter.Cast<ExpressionFilter>().expr);
		break;
	default:
		break;
	}
}

namespace {

bool IsDynamicFilter(const TableFilter &filter) {
	switch (filter.filter_type) {
	case TableFilterType::DYNAMIC_FILTER:
	case TableFilterType::BLOOM_FILTER:
		return true;
	case TableFilterType::OPTIONAL_FILTER: {
		auto &child = filter.Cast<OptionalFilter>().child_filter;
		return !child || IsDynamicFilter(*child);
	}
	default:
		return false;
	}
}

} // namespace

void RemoveDynamicFilters(TableFilterSet &filters) {
	for (auto entry = filters.filters.begin(); entry != filters.filters.end();) {
		entry = IsDynamicFilter(*entry->second) ? filters.filters.erase(entry) : std::next(entry);
	}
}

namespace {

//! Nothing if no other part is left
unique_ptr<TableFilter> WithoutBloomFilters(const TableFilter &filter) {
	switch (filter.filter_type) {
	case TableFilterType::BLOOM_FILTER:
		return nullptr;
	case TableFilterType::OPTIONAL_FILTER: {
		auto &child = filter.Cast<OptionalFilter>().child_filter;
		auto kept = child ? WithoutBloomFilters(*child) : nullptr;
		return kept ? make_uniq<OptionalFilter>(std::move(kept)) : nullptr;
	}
	case TableFilterType::CONJUNCTION_AND: {
		auto result = make_uniq<ConjunctionAndFilter>();
		for (auto &child : filter.Cast<ConjunctionAndFilter>().child_filters) {
			if (auto kept = WithoutBloomFilters(*child)) {
				result->child_filters.push_back(std::move(kept));
			}
		}
		return result->child_filters.empty() ? nullptr : std::move(result);
	}
	default:
		return filter.Copy();
	}
}

} // namespace

std::optional<TableFilterSet> ApplicableBelowCasts(const TableFilterSet &filters,
                                                   const std::function<bool(idx_t position)> &below_cast) {
	if (std::none_of(filters.filters.begin(), filters.filters.end(),
	                 [&](auto &entry) { return below_cast(entry.first); })) {
		return std::nullopt;
	}
	TableFilterSet result;
	for (auto &[position, filter] : filters.filters) {
		if (auto kept = below_cast(position) ? WithoutBloomFilters(*filter) : filter->Copy()) {
			result.filters.emplace(position, std::move(kept));
		}
	}
	return result;
}

} // namespace duckherder

#endif
