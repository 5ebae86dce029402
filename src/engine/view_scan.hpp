#pragma once

#include "compat/names.hpp"

#include "duckdb.hpp"
#include "duckdb/function/table_function.hpp"

namespace duckherder {

constexpr const char *VIEW_SCAN_NAME = "duckherder_view_scan";

//! A view of a driver's database in the plan of its client. Only the driver knows what the view's text means: which
//! files, which functions. So it travels by name, and the driver puts the view's own plan in its place.
struct ViewScanData : public duckdb::TableFunctionData {
	//! At the client: where the view was found
	duckdb::optional_ptr<duckdb::Catalog> catalog;
	//! As the driver calls it
	duckdb::string database;
	duckdb::string schema;
	duckdb::string view;
	duckdb::vector<duckdb::LogicalType> types;
	duckdb::vector<duckdb::Identifier> names;

	duckdb::unique_ptr<duckdb::FunctionData> Copy() const override;
	bool Equals(const duckdb::FunctionData &other) const override;
};

//! Arguments: the client's name of the database, the driver's name of it, schema, view. It cannot be executed.
duckdb::TableFunction ViewScanFunction();

} // namespace duckherder
