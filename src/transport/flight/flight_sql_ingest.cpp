#include "transport/flight/flight_sql.hpp"
#include "transport/flight/flight_sql_batches.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/parser/keyword_helper.hpp"

#include <arrow/record_batch.h>
#include <arrow/type.h>

//! Rows that a client sends for a table: CommandStatementIngest
namespace duckherder {

namespace flight = arrow::flight;

using duckdb::LogicalType;
using duckdb::Value;
using flight_sql::IfExists;
using flight_sql::IfNotExists;
using flight_sql::IngestRequest;

namespace {

std::string Quoted(const std::string &name) {
	return duckdb::KeywordHelper::WriteQuoted(name, '"');
}

std::string NameOf(const IngestRequest &request) {
	std::string name;
	for (auto &part : {request.catalog, request.schema}) {
		if (part && !part->empty()) {
			name += Quoted(*part) + ".";
		}
	}
	return name + Quoted(request.table);
}

//! What makes the table; empty if it has to be there already
std::string Creation(const IngestRequest &request, const std::vector<std::string> &names,
                     const duckdb::vector<LogicalType> &types) {
	auto creates = request.if_not_exists == IfNotExists::CREATE;
	std::string sql;
	if (request.if_exists == IfExists::REPLACE) {
		sql = "CREATE OR REPLACE ";
	} else if (creates) {
		sql = "CREATE ";
	} else {
		return sql;
	}
	sql += request.temporary ? "TEMPORARY TABLE " : "TABLE ";
	sql += creates && request.if_exists == IfExists::APPEND ? "IF NOT EXISTS " : "";
	sql += NameOf(request) + " (";
	for (size_t i = 0; i < names.size(); i++) {
		sql += (i > 0 ? ", " : "") + Quoted(names[i]) + " " + types[i].ToString();
	}
	return sql + ")";
}

//! Rows of a chunk as one value: a list of structs
Value ListOf(duckdb::DataChunk &chunk, const std::vector<std::string> &names) {
	duckdb::child_list_t<LogicalType> fields;
	for (size_t i = 0; i < names.size(); i++) {
		fields.emplace_back(names[i], chunk.data[i].GetType());
	}
	auto type = LogicalType::STRUCT(std::move(fields));
	duckdb::vector<Value> rows;
	for (duckdb::idx_t row = 0; row < chunk.size(); row++) {
		duckdb::vector<Value> values;
		for (duckdb::idx_t column = 0; column < chunk.ColumnCount(); column++) {
			values.push_back(chunk.GetValue(column, row));
		}
		rows.push_back(Value::STRUCT(type, std::move(values)));
	}
	return Value::LIST(type, std::move(rows));
}

} // namespace

int64_t FlightSql::Ingest(const Caller &caller, const IngestRequest &request, flight::FlightMessageReader &reader) {
	auto schema = reader.GetSchema();
	if (!schema.ok()) {
		throw duckdb::InvalidInputException("The client sends rows without a schema: %s", schema.status().message());
	}
	auto names = (*schema)->field_names();
	auto column_types = types->TypesOf(**schema);
	if (names.empty()) {
		throw duckdb::InvalidInputException("The client sends rows without columns");
	}
	if (request.temporary && request.transaction.empty()) {
		throw duckdb::InvalidInputException("A temporary table ends with the session of its transaction, and this "
		                                    "statement has none");
	}
	FlightSqlSessions::Use use(sessions, request.transaction, caller.role);
	auto table = NameOf(request);
	if (request.if_exists == IfExists::REPLACE && request.if_not_exists != IfNotExists::CREATE) {
		// throws if it does not exist
		database->Describe(use.Session(), "FROM " + table);
	}
	auto creation = Creation(request, names, column_types);
	if (!creation.empty()) {
		RunToEnd(caller, use, creation, StatementAnswer::NOTHING, {});
	}
	std::string columns;
	for (auto &name : names) {
		columns += (columns.empty() ? "" : ", ") + Quoted(name);
	}
	// the list becomes rows, and each row columns
	auto insert = "INSERT INTO " + table + " (" + columns + ") SELECT unnest($1, max_depth := 2)";
	int64_t rows = 0;
	ReadBatches(reader, [&](const std::shared_ptr<arrow::RecordBatch> &batch) {
		types->ReadBatch(batch, [&](duckdb::DataChunk &chunk) {
			ParameterRow list;
			list.push_back(ListOf(chunk, names));
			rows += RunToEnd(caller, use, insert, StatementAnswer::COUNT, list);
		});
	});
	use.Commit();
	return rows;
}

} // namespace duckherder
