#include "transport/flight_sql/flight_sql_rows.hpp"

#include "duckdb/common/error_data.hpp"
#include "duckdb/common/exception.hpp"

#include <arrow/flight/types.h>

namespace duckherder {

namespace flight = arrow::flight;

arrow::Status FlightSqlStatus(const std::exception &error) {
	duckdb::ErrorData data(error);
	switch (data.Type()) {
	case duckdb::ExceptionType::INTERRUPT:
		return flight::MakeFlightError(flight::FlightStatusCode::Cancelled, data.Message());
	case duckdb::ExceptionType::PERMISSION:
		return flight::MakeFlightError(flight::FlightStatusCode::Unauthorized, data.Message());
	case duckdb::ExceptionType::INTERNAL:
	case duckdb::ExceptionType::FATAL:
	case duckdb::ExceptionType::IO:
	case duckdb::ExceptionType::OUT_OF_MEMORY:
		return flight::MakeFlightError(flight::FlightStatusCode::Internal, data.Message());
	case duckdb::ExceptionType::NOT_IMPLEMENTED:
		return arrow::Status::NotImplemented(data.Message());
	default:
		return arrow::Status::Invalid(data.Message());
	}
}

StatementRows::StatementRows(std::shared_ptr<ArrowTypes> types, std::unique_ptr<FlightSqlSessions::Use> use_p,
                             std::shared_ptr<ChunkSource> source_p, const std::vector<std::string> &names,
                             GoneCheck gone_p, std::shared_ptr<void> presence_p)
    : presence(std::move(presence_p)), use(std::move(use_p)), source(std::move(source_p)), reader(source->OpenReader()),
      gone(std::move(gone_p)), encoder(std::move(types), source->Types(), names) {
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), source->Types());
}

StatementRows::~StatementRows() = default;

std::shared_ptr<arrow::Schema> StatementRows::schema() const {
	return encoder.Schema();
}

arrow::Status StatementRows::ReadNext(std::shared_ptr<arrow::RecordBatch> *batch) {
	try {
		*batch = encoder.Take();
		while (reader && !*batch) {
			if (gone()) {
				throw duckdb::InterruptException();
			}
			chunk.Reset();
			reader->Next(chunk);
			if (chunk.size() == 0) {
				// in this order: the statement ends, then its transaction, then its session
				reader.reset();
				source.reset();
				use->Commit();
				use.reset();
				presence.reset();
				encoder.Finish();
			} else {
				encoder.Append(chunk);
			}
			*batch = encoder.Take();
		}
		return arrow::Status::OK();
	} catch (std::exception &error) {
		reader.reset();
		source.reset();
		use.reset();
		return FlightSqlStatus(error);
	}
}

} // namespace duckherder
