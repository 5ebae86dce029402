#pragma once

#include "compat/names.hpp"

#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

#include <string>

//! How scans of files travel: 1.5 writes what they were bound with, 2.0 the arguments of the call, which is bound anew.

namespace duckherder {

//! While it lives, the scan is serialized as that of the one file `path_of(bind data)`. Who else reads the plan at the
//! same time sees no difference, unless it serializes it.
class SerializedAsOneFile {
public:
	using PathOf = std::string (*)(const duckdb::MultiFileBindData &);

	SerializedAsOneFile(duckdb::LogicalGet &get, PathOf path_of);
	SerializedAsOneFile(SerializedAsOneFile &&other) noexcept;
	SerializedAsOneFile(const SerializedAsOneFile &) = delete;
	SerializedAsOneFile &operator=(const SerializedAsOneFile &) = delete;
	~SerializedAsOneFile();

	//! Whether DuckDB can serialize the scan at all, and it is no other one's turn
	static bool IsPossible(const duckdb::LogicalGet &get);

private:
	//! Null after a move
	duckdb::optional_ptr<duckdb::LogicalGet> get;
	//! 2.0: the arguments as they were
	duckdb::vector<duckdb::Value> arguments;
};

} // namespace duckherder
