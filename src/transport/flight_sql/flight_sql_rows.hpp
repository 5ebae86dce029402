#pragma once

#include "wire/arrow_rows.hpp"
#include "protocol/database_service.hpp"
#include "transport/flight_sql/flight_sql_sessions.hpp"

#include <arrow/record_batch.h>
#include <arrow/status.h>

#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace duckherder {

//! What a caller of Flight SQL is told about an error: DuckDB's own message, under the code that comes nearest
arrow::Status FlightSqlStatus(const std::exception &error);

//! The rows of a statement, read while it runs, as other programs' Arrow. The last ones come after the statement has
//! ended well and is committed, where that is ours to do. Its end before that ends the statement. Used by one thread;
//! errors are statuses.
class StatementRows : public arrow::RecordBatchReader {
public:
	//! `presence` is held as long as the statement runs; `gone` is asked for each chunk.
	StatementRows(std::shared_ptr<ArrowTypes> types, std::unique_ptr<FlightSqlSessions::Use> use,
	              std::shared_ptr<ChunkSource> source, const std::vector<std::string> &names, GoneCheck gone,
	              std::shared_ptr<void> presence);
	~StatementRows() override;

	std::shared_ptr<arrow::Schema> schema() const override;
	arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch> *batch) override;

private:
	// in the order in which they may not end
	std::shared_ptr<void> presence;
	std::unique_ptr<FlightSqlSessions::Use> use;
	std::shared_ptr<ChunkSource> source;
	std::unique_ptr<ChunkReader> reader;
	GoneCheck gone;
	ArrowRowsEncoder encoder;
	duckdb::DataChunk chunk;
};

} // namespace duckherder
