#include "engine/sort_keys.hpp"

namespace duckherder {

using namespace duckdb;

SortKeys::SortKeys(std::vector<uint32_t> columns_p, const std::vector<KeyOrder> &orders)
    : columns(std::move(columns_p)) {
	if (columns.empty() || columns.size() != orders.size()) {
		throw InternalException("A sort key of %llu columns and %llu orders", idx_t(columns.size()),
		                        idx_t(orders.size()));
	}
	for (auto &order : orders) {
		modifiers.emplace_back(order.descending ? OrderType::DESCENDING : OrderType::ASCENDING,
		                       order.nulls_first ? OrderByNullType::NULLS_FIRST : OrderByNullType::NULLS_LAST);
	}
	keys.Initialize(Allocator::DefaultAllocator(), {LogicalType::BLOB});
}

Vector &SortKeys::Of(DataChunk &rows, const SelectionVector &picked, idx_t count) {
	DataChunk some;
	some.InitializeEmpty(rows.GetTypes());
	some.Slice(rows, picked, count);
	return Of(some);
}

Vector &SortKeys::Of(DataChunk &rows) {
	if (input.ColumnCount() == 0) {
		vector<LogicalType> types;
		for (auto column : columns) {
			types.push_back(rows.data.at(column).GetType());
		}
		input.InitializeEmpty(types);
	}
	for (idx_t i = 0; i < columns.size(); i++) {
		input.data[i].Reference(rows.data.at(columns[i]));
	}
	input.SetChildCardinality(rows.size());
	keys.Reset();
	CreateSortKeyHelpers::CreateSortKey(input, modifiers, keys.data[0]);
	return keys.data[0];
}

} // namespace duckherder
