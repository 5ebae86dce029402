#include "common/limits.hpp"
#include "transport/flight_sql/flight_sql.hpp"
#include "transport/flight_sql/flight_sql_batches.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/parser/keyword_helper.hpp"

#include <arrow/record_batch.h>
#include <arrow/type.h>

//! Rows that a client sends for a table: CommandStatementIngest
namespace duckherder {

namespace flight = arrow::flight;

using duckdb::LogicalType;
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

//! An INSERT of the table's columns with these names. What stands for its rows is replaced by them.
std::string Insertion(const std::string &table, const std::vector<std::string> &names) {
	std::string columns;
	std::string values;
	for (auto &name : names) {
		columns += (columns.empty() ? "" : ", ") + Quoted(name);
		values += values.empty() ? "NULL" : ", NULL";
	}
	return "INSERT INTO " + table + " (" + columns + ") SELECT * FROM (VALUES (" + values + "))";
}

} // namespace

void FlightSql::Ingest(const Caller &caller, const IngestRequest &request, flight::FlightMessageReader &reader,
                       flight::FlightMetadataWriter &writer) {
	auto schema = reader.GetSchema();
	if (!schema.ok()) {
		throw duckdb::InvalidInputException("The client sends rows without a schema: %s", schema.status().message());
	}
	auto names = (*schema)->field_names();
	auto column_types = types->TypesOf(**schema);
	if (names.empty()) {
		throw duckdb::InvalidInputException("The client sends rows without columns");
	}
	auto client = caller.Client();
	// not all clients say to which transaction the rows belong
	auto transaction = request.transaction.empty() ? sessions->TransactionOf(client) : request.transaction;
	if (request.temporary && transaction.empty()) {
		throw duckdb::InvalidInputException("A temporary table ends with the session of its transaction, and this "
		                                    "statement has none");
	}
	FlightSqlSessions::Use use(sessions, transaction, client);
	auto table = NameOf(request);
	if (request.if_exists == IfExists::REPLACE && request.if_not_exists != IfNotExists::CREATE) {
		// throws if it does not exist
		database->Describe(use.Session(), "FROM " + table);
	}
	auto gone = [&] { return caller.Gone(); };
	auto insert = SessionStatement::OfText(use.Session(), Insertion(table, names));
	insert.upload = next_upload++ % limits::UPLOADS_MAX;
	// nothing is changed before all rows are there
	auto upload = database->OpenUpload(use.Session(), *insert.upload, column_types);
	ReadBatches(reader, gone, [&](const std::shared_ptr<arrow::RecordBatch> &batch) {
		types->ReadBatch(batch, [&](duckdb::DataChunk &chunk) { upload->Append(chunk); });
	});
	upload->Finish();
	auto creation = Creation(request, names, column_types);
	auto changed = false;
	try {
		if (!creation.empty()) {
			RunToEnd(caller, use, creation, StatementAnswer::NOTHING, {});
			changed = true;
		}
		auto rows = RunToEnd(caller, insert, StatementAnswer::COUNT);
		changed = true;
		AnswerBeforeCommit(writer, gone, flight_sql::WriteUpdateResult(rows));
	} catch (...) {
		if (changed) {
			use.Fail();
		}
		throw;
	}
	use.Commit();
}

} // namespace duckherder
