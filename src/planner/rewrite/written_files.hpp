#pragma once

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_extension_operator.hpp"

namespace duckherder {

//! Throws an IOException if this process does not see a file that a worker has written, or sees another size of it:
//! `what` ("the lake's data path") is not on storage that all nodes share then. Without a size only whether it is
//! there.
void CheckWrittenFile(duckdb::FileSystem &files, const duckdb::string &name, duckdb::optional_idx bytes,
                      const char *what);

//! What is left of a statement whose files its child writes, and lists. It shows what the statement showed.
class LogicalAfterWrite : public duckdb::LogicalExtensionOperator {
public:
	//! The types of `statement` are resolved
	explicit LogicalAfterWrite(duckdb::LogicalOperator &statement);

	duckdb::vector<duckdb::ColumnBinding> GetColumnBindings() override;
	void ResolveColumnBindings(duckdb::ColumnBindingResolver &resolver,
	                           duckdb::vector<duckdb::ColumnBinding> &result) override;
	bool SupportSerialization() const override;

protected:
	void ResolveTypes() override;

private:
	const duckdb::vector<duckdb::ColumnBinding> bindings;
	const duckdb::vector<duckdb::LogicalType> return_types;
};

} // namespace duckherder
