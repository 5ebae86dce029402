#pragma once

#include "client/remote_entries.hpp"
#include "engine/driver_names.hpp"

#include "duckdb/function/table_function.hpp"

namespace duckherder {

//! What a scan of a table of an attached driver reads
struct RemoteScanData : public duckdb::TableFunctionData {
	explicit RemoteScanData(RemoteTable &table);

	RemoteTable &table;
	//! Keeps the table alive: a prepared statement has it for longer than its transaction
	std::shared_ptr<RemoteSnapshot> snapshot;
	//! AT (unit => value); empty: now
	std::string at_unit;
	duckdb::Value at_value;

	duckdb::unique_ptr<duckdb::FunctionData> Copy() const override;
	bool Equals(const duckdb::FunctionData &other) const override;
};

//! A plan that contains it goes to the driver, where deserializing turns it into the scan of the driver's own table.
//! Where no optimizer ran it brings the whole table here.
duckdb::TableFunction RemoteScanFunction();

} // namespace duckherder
