#pragma once

#include "exchange/task_inputs.hpp"
#include "plan/pipeline_task.hpp"
#include "protocol/messages.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/logical_operator.hpp"

namespace duckherder {

//! Restricts the scan `split.table_index` of a decoded fragment, and those that are aligned with it, to the files and
//! rows of the split. What a scan returns to the operators above keeps its columns and bindings. Nothing to do for
//! feeds and stages without base scan. Throws InternalException if the fragment has no such Parquet scan,
//! NotImplementedException if the scan reads something that depends on all files (the virtual column file_index).
void ApplySplit(duckdb::ClientContext &context, duckdb::LogicalOperator &plan, const ScanSplit &split);

//! Lets the scan of the split and those that are aligned with it deliver only rows with keys of the task. Operators
//! that look for filters below them, which leave out rows that others may look for, must have done so.
void ApplyKeyRanges(duckdb::LogicalOperator &plan, const ScanSplit &split);

//! Lets the base scan of a decoded fragment leave out rows by the request's scan_filters; counts those in `pruned`.
//! Throws SerializationException for bytes that are not a key set, InternalException without such a scan.
void FilterScan(duckdb::LogicalOperator &plan, const TaskRequest &request,
                std::shared_ptr<std::atomic<uint64_t>> pruned);

//! Makes the scan `table_index` count the rows that it delivers, in inputs.scanned_rows. Returns false if there is
//! none.
bool CountScan(duckdb::LogicalOperator &plan, uint64_t table_index, TaskInputs &inputs);

} // namespace duckherder
