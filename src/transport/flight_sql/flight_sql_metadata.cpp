#include "transport/flight_sql/flight_sql_metadata.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/parser/keyword_helper.hpp"

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/util.h>
#include <arrow/ipc/writer.h>
#include <arrow/util/key_value_metadata.h>

#include <map>

namespace duckherder::flight_sql {

using duckdb::LogicalType;
using duckdb::Value;

namespace {

constexpr bool NOT_NULL = false;
//! Of a foreign key that does nothing about changes: UpdateDeleteRules.NO_ACTION
constexpr const char *NO_ACTION = "3::UTINYINT";

template <class T>
T Checked(arrow::Result<T> result) {
	if (!result.ok()) {
		throw duckdb::InternalException("metadata cannot be written as Arrow: %s", result.status().message());
	}
	return std::move(result).ValueUnsafe();
}

Value OrNull(const std::optional<std::string> &text) {
	return text ? Value(*text) : Value(LogicalType::VARCHAR);
}

Value ListOf(const std::vector<std::string> &texts) {
	duckdb::vector<Value> values;
	for (auto &text : texts) {
		values.emplace_back(text);
	}
	return Value::LIST(LogicalType::VARCHAR, std::move(values));
}

std::shared_ptr<arrow::Schema> KeySchema() {
	return arrow::schema(
	    {arrow::field("pk_catalog_name", arrow::utf8()), arrow::field("pk_db_schema_name", arrow::utf8()),
	     arrow::field("pk_table_name", arrow::utf8(), NOT_NULL),
	     arrow::field("pk_column_name", arrow::utf8(), NOT_NULL), arrow::field("fk_catalog_name", arrow::utf8()),
	     arrow::field("fk_db_schema_name", arrow::utf8()), arrow::field("fk_table_name", arrow::utf8(), NOT_NULL),
	     arrow::field("fk_column_name", arrow::utf8(), NOT_NULL),
	     arrow::field("key_sequence", arrow::int32(), NOT_NULL), arrow::field("fk_key_name", arrow::utf8()),
	     arrow::field("pk_key_name", arrow::utf8()), arrow::field("update_rule", arrow::uint8(), NOT_NULL),
	     arrow::field("delete_rule", arrow::uint8(), NOT_NULL)});
}

std::shared_ptr<arrow::Schema> TypeSchema() {
	auto parameters = arrow::list(arrow::field("item", arrow::utf8(), NOT_NULL));
	return arrow::schema(
	    {arrow::field("type_name", arrow::utf8(), NOT_NULL), arrow::field("data_type", arrow::int32(), NOT_NULL),
	     arrow::field("column_size", arrow::int32()), arrow::field("literal_prefix", arrow::utf8()),
	     arrow::field("literal_suffix", arrow::utf8()), arrow::field("create_params", parameters),
	     arrow::field("nullable", arrow::int32(), NOT_NULL), arrow::field("case_sensitive", arrow::boolean(), NOT_NULL),
	     arrow::field("searchable", arrow::int32(), NOT_NULL), arrow::field("unsigned_attribute", arrow::boolean()),
	     arrow::field("fixed_prec_scale", arrow::boolean(), NOT_NULL), arrow::field("auto_increment", arrow::boolean()),
	     arrow::field("local_type_name", arrow::utf8()), arrow::field("minimum_scale", arrow::int32()),
	     arrow::field("maximum_scale", arrow::int32()), arrow::field("sql_data_type", arrow::int32(), NOT_NULL),
	     arrow::field("datetime_subcode", arrow::int32()), arrow::field("num_prec_radix", arrow::int32()),
	     arrow::field("interval_precision", arrow::int32())});
}

constexpr const char *CATALOGS_SQL = "SELECT database_name FROM duckdb_databases() WHERE NOT internal ORDER BY 1";

constexpr const char *SCHEMAS_SQL =
    "SELECT database_name, schema_name FROM duckdb_schemas() JOIN (SELECT database_name FROM duckdb_databases() WHERE "
    "NOT internal) USING (database_name) WHERE ($1::VARCHAR IS NULL OR database_name = $1) AND ($2::VARCHAR IS NULL OR "
    "schema_name LIKE $2 ESCAPE '\\') ORDER BY ALL";

constexpr const char *TABLES_SQL =
    "SELECT database_name, schema_name, name, kind FROM (SELECT database_name, schema_name, table_name AS name, "
    "'TABLE' "
    "AS kind FROM duckdb_tables() WHERE NOT internal UNION ALL SELECT database_name, schema_name, view_name, 'VIEW' "
    "FROM duckdb_views() WHERE NOT internal) WHERE ($1::VARCHAR IS NULL OR database_name = $1) AND ($2::VARCHAR IS "
    "NULL "
    "OR schema_name LIKE $2 ESCAPE '\\') AND ($3::VARCHAR IS NULL OR name LIKE $3 ESCAPE '\\') AND "
    "(len($4::VARCHAR[]) = 0 OR list_contains($4::VARCHAR[], kind)) ORDER BY ALL";

constexpr const char *PRIMARY_KEYS_SQL =
    "SELECT database_name, schema_name, table_name, unnest(constraint_column_names) AS column_name, constraint_name AS "
    "key_name, generate_subscripts(constraint_column_names, 1)::INTEGER AS key_sequence FROM duckdb_constraints() "
    "WHERE "
    "constraint_type = 'PRIMARY KEY' AND ($1::VARCHAR IS NULL OR database_name = $1) AND ($2::VARCHAR IS NULL OR "
    "schema_name = $2) AND table_name = $3 ORDER BY 1, 2, 3, 5, 6";

//! All foreign keys, with a condition and an order to follow
std::string ForeignKeysSql(const std::string &condition, const std::string &order) {
	return "WITH keys AS (SELECT database_name AS catalog, schema_name AS schema, table_name AS fk_table, "
	       "referenced_table AS pk_table, unnest(referenced_column_names) AS pk_column, "
	       "unnest(constraint_column_names) AS fk_column, generate_subscripts(constraint_column_names, 1)::INTEGER AS "
	       "number, constraint_name AS name FROM duckdb_constraints() WHERE constraint_type = 'FOREIGN KEY'), "
	       "primary_keys AS (SELECT database_name AS catalog, schema_name AS schema, table_name AS pk_table, "
	       "min(constraint_name) AS primary_name FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY' GROUP "
	       "BY ALL) SELECT catalog, schema, pk_table, pk_column, catalog, schema, fk_table, fk_column, number, name, "
	       "primary_name, " +
	       std::string(NO_ACTION) + ", " + NO_ACTION +
	       " FROM keys LEFT JOIN primary_keys USING (catalog, schema, pk_table) WHERE ($1::VARCHAR IS NULL OR catalog "
	       "= "
	       "$1) AND ($2::VARCHAR IS NULL OR schema = $2) AND " +
	       condition + " ORDER BY catalog, schema, " + order + ", name, number";
}

// name, number (XdbcDataType), size, quote, case sensitive, unsigned, fixed precision, scale, radix
constexpr const char *TYPES_SQL =
    "SELECT name, number::INTEGER, size::INTEGER, quote, quote, NULL::VARCHAR, 1::INTEGER, text, CASE WHEN text THEN 3 "
    "ELSE 2 END::INTEGER, is_unsigned, name = 'DECIMAL', false, name, scale::INTEGER, CASE WHEN name = 'DECIMAL' THEN "
    "38 "
    "ELSE scale END::INTEGER, CASE WHEN number IN (91, 92, 93) THEN 9 ELSE number END::INTEGER, CASE WHEN number IN "
    "(91, "
    "92, 93) THEN number - 90 END::INTEGER, radix::INTEGER, NULL::INTEGER FROM (VALUES "
    "('BOOLEAN', -7, 1, NULL, false, NULL, NULL, NULL), ('TINYINT', -6, 3, NULL, false, false, 0, 10), "
    "('SMALLINT', 5, 5, NULL, false, false, 0, 10), ('INTEGER', 4, 10, NULL, false, false, 0, 10), "
    "('BIGINT', -5, 19, NULL, false, false, 0, 10), ('HUGEINT', 2, 38, NULL, false, false, 0, 10), "
    "('UTINYINT', 5, 3, NULL, false, true, 0, 10), ('USMALLINT', 4, 5, NULL, false, true, 0, 10), "
    "('UINTEGER', -5, 10, NULL, false, true, 0, 10), ('UBIGINT', 2, 20, NULL, false, true, 0, 10), "
    "('FLOAT', 7, 24, NULL, false, false, NULL, 2), ('DOUBLE', 8, 53, NULL, false, false, NULL, 2), "
    "('DECIMAL', 3, 38, NULL, false, false, 0, 10), ('VARCHAR', 12, 2147483647, '''', true, NULL, NULL, NULL), "
    "('BLOB', -3, 2147483647, '''', false, NULL, NULL, NULL), ('DATE', 91, 10, '''', false, NULL, NULL, NULL), "
    "('TIME', 92, 15, '''', false, NULL, 6, NULL), ('TIMESTAMP', 93, 26, '''', false, NULL, 6, NULL), "
    "('TIMESTAMP WITH TIME ZONE', 93, 32, '''', false, NULL, 6, NULL)) t(name, number, size, quote, text, is_unsigned, "
    "scale, radix) WHERE $1::INTEGER IS NULL OR number = $1 ORDER BY number, name";

//! The columns of a query under the protocol's names; a column of NULLs, which has no type of its own, takes any.
std::shared_ptr<arrow::RecordBatch> Named(const std::shared_ptr<arrow::Schema> &schema,
                                          const std::shared_ptr<arrow::RecordBatch> &batch) {
	arrow::ArrayVector columns;
	for (int i = 0; i < schema->num_fields(); i++) {
		auto column = batch->column(i);
		auto &type = schema->field(i)->type();
		if (!column->type()->Equals(type)) {
			if (column->null_count() != column->length()) {
				throw duckdb::InternalException("metadata column %s is of type %s", schema->field(i)->name(),
				                                column->type()->ToString());
			}
			column = Checked(arrow::MakeArrayOfNull(type, batch->num_rows()));
		}
		columns.push_back(std::move(column));
	}
	return arrow::RecordBatch::Make(schema, batch->num_rows(), std::move(columns));
}

std::string Quoted(const std::string &name) {
	return duckdb::KeywordHelper::WriteQuoted(name, '"');
}

//! What Arrow's types do not say of columns, by catalog, schema, table and column
class ColumnDetails {
public:
	explicit ColumnDetails(const std::shared_ptr<arrow::RecordBatch> &rows_p) : rows(rows_p) {
		for (int64_t row = 0; row < rows->num_rows(); row++) {
			by_name[{Text(CATALOG, row), Text(SCHEMA, row), Text(TABLE, row), Text(NAME, row)}] = row;
		}
	}

	static constexpr const char *SQL =
	    "SELECT database_name, schema_name, table_name, column_name, data_type, CASE WHEN is_nullable THEN 'YES' ELSE "
	    "'NO' END, comment::VARCHAR, column_default FROM duckdb_columns() WHERE NOT internal";

	std::shared_ptr<arrow::Field> Describe(const std::vector<std::string> &table,
	                                       const std::shared_ptr<arrow::Field> &field) const {
		auto entry = by_name.find({table[CATALOG], table[SCHEMA], table[TABLE], field->name()});
		if (entry == by_name.end()) {
			return field;
		}
		auto row = entry->second;
		auto nullable = Text(NULLABLE, row) == "YES";
		auto metadata = field->metadata() ? field->metadata()->Copy() : std::make_shared<arrow::KeyValueMetadata>();
		metadata->Append("ARROW:FLIGHT:SQL:CATALOG_NAME", table[CATALOG]);
		metadata->Append("ARROW:FLIGHT:SQL:SCHEMA_NAME", table[SCHEMA]);
		metadata->Append("ARROW:FLIGHT:SQL:TABLE_NAME", table[TABLE]);
		metadata->Append("ARROW:FLIGHT:SQL:TYPE_NAME", Text(TYPE, row));
		metadata->Append("ARROW:FLIGHT:SQL:IS_AUTO_INCREMENT", "0");
		if (!rows->column(COMMENT)->IsNull(row)) {
			metadata->Append("ARROW:FLIGHT:SQL:REMARKS", Text(COMMENT, row));
		}
		if (!rows->column(DEFAULT)->IsNull(row)) {
			// for this the protocol has no key, but ADBC's drivers have
			metadata->Append("XDBC_COLUMN_DEF", Text(DEFAULT, row));
		}
		return field->WithNullable(nullable)->WithMetadata(std::move(metadata));
	}

private:
	enum Column { CATALOG, SCHEMA, TABLE, NAME, TYPE, NULLABLE, COMMENT, DEFAULT };

	std::string Text(int column, int64_t row) const {
		return std::static_pointer_cast<arrow::StringArray>(rows->column(column))->GetString(row);
	}

	const std::shared_ptr<arrow::RecordBatch> rows;
	std::map<std::vector<std::string>, int64_t> by_name;
};

std::string ColumnsOf(const MetadataSource &source, const ColumnDetails &details,
                      const std::vector<std::string> &table) {
	try {
		auto shape = source.describe("FROM " + Quoted(table[0]) + "." + Quoted(table[1]) + "." + Quoted(table[2]));
		auto schema = source.types->SchemaOf(shape.types, shape.names);
		arrow::FieldVector fields;
		for (auto &field : schema->fields()) {
			fields.push_back(details.Describe(table, field));
		}
		return SchemaBytes(*arrow::schema(std::move(fields)));
	} catch (duckdb::Exception &) {
		// a view of what is not there any more is a view all the same
		return SchemaBytes(*arrow::schema({}));
	}
}

std::shared_ptr<arrow::RecordBatch> WithColumns(const std::shared_ptr<arrow::RecordBatch> &tables,
                                                const MetadataSource &source) {
	ColumnDetails details(source.query(ColumnDetails::SQL, {}));
	arrow::BinaryBuilder builder;
	auto text = [&](int column, int64_t row) {
		return std::static_pointer_cast<arrow::StringArray>(tables->column(column))->GetString(row);
	};
	for (int64_t row = 0; row < tables->num_rows(); row++) {
		auto status = builder.Append(ColumnsOf(source, details, {text(0, row), text(1, row), text(2, row)}));
		if (!status.ok()) {
			throw duckdb::OutOfRangeException("the columns of so many tables do not fit into one message");
		}
	}
	return Checked(tables->AddColumn(tables->num_columns(), "table_schema", Checked(builder.Finish())));
}

} // namespace

std::string SchemaBytes(const arrow::Schema &schema) {
	return Checked(arrow::ipc::SerializeSchema(schema))->ToString();
}

std::shared_ptr<arrow::Schema> MetadataSchema(const Packed &command) {
	auto catalog = arrow::field("catalog_name", arrow::utf8());
	auto &name = command.name;
	if (name == "CommandGetCatalogs") {
		return arrow::schema({catalog->WithNullable(NOT_NULL)});
	}
	if (name == "CommandGetDbSchemas") {
		return arrow::schema({catalog, arrow::field("db_schema_name", arrow::utf8(), NOT_NULL)});
	}
	if (name == "CommandGetTables") {
		arrow::FieldVector fields = {catalog, arrow::field("db_schema_name", arrow::utf8()),
		                             arrow::field("table_name", arrow::utf8(), NOT_NULL),
		                             arrow::field("table_type", arrow::utf8(), NOT_NULL)};
		if (ReadObjectsRequest(command.body).include_schema) {
			fields.push_back(arrow::field("table_schema", arrow::binary(), NOT_NULL));
		}
		return arrow::schema(std::move(fields));
	}
	if (name == "CommandGetTableTypes") {
		return arrow::schema({arrow::field("table_type", arrow::utf8(), NOT_NULL)});
	}
	if (name == "CommandGetPrimaryKeys") {
		return arrow::schema(
		    {catalog, arrow::field("db_schema_name", arrow::utf8()),
		     arrow::field("table_name", arrow::utf8(), NOT_NULL), arrow::field("column_name", arrow::utf8(), NOT_NULL),
		     arrow::field("key_name", arrow::utf8()), arrow::field("key_sequence", arrow::int32(), NOT_NULL)});
	}
	if (name == "CommandGetExportedKeys" || name == "CommandGetImportedKeys" || name == "CommandGetCrossReference") {
		return KeySchema();
	}
	if (name == "CommandGetXdbcTypeInfo") {
		return TypeSchema();
	}
	return name == "CommandGetSqlInfo" ? SqlInfoSchema() : nullptr;
}

std::shared_ptr<arrow::RecordBatch> MetadataRows(const Packed &command, const MetadataSource &source) {
	auto schema = MetadataSchema(command);
	auto &name = command.name;
	auto query = [&](const std::string &sql, const ParameterRow &parameters) {
		return Named(schema, source.query(sql, parameters));
	};
	auto query_keys = [&](const std::string &condition, const std::string &order, const TableReference &table,
	                      ParameterRow more) {
		ParameterRow parameters = {OrNull(table.catalog), OrNull(table.schema)};
		parameters.insert(parameters.end(), more.begin(), more.end());
		return query(ForeignKeysSql(condition, order), parameters);
	};
	if (name == "CommandGetCatalogs") {
		return query(CATALOGS_SQL, {});
	}
	if (name == "CommandGetDbSchemas") {
		auto request = ReadObjectsRequest(command.body);
		return query(SCHEMAS_SQL, {OrNull(request.catalog), OrNull(request.schema_pattern)});
	}
	if (name == "CommandGetTables") {
		auto request = ReadObjectsRequest(command.body);
		auto tables = source.query(TABLES_SQL, {OrNull(request.catalog), OrNull(request.schema_pattern),
		                                        OrNull(request.table_pattern), ListOf(request.table_types)});
		return Named(schema, request.include_schema ? WithColumns(tables, source) : tables);
	}
	if (name == "CommandGetTableTypes") {
		return query("VALUES ('TABLE'), ('VIEW') ORDER BY 1", {});
	}
	if (name == "CommandGetPrimaryKeys") {
		auto table = ReadTableReference(command.body);
		return query(PRIMARY_KEYS_SQL, {OrNull(table.catalog), OrNull(table.schema), Value(table.table)});
	}
	if (name == "CommandGetExportedKeys") {
		auto table = ReadTableReference(command.body);
		return query_keys("pk_table = $3", "fk_table", table, {Value(table.table)});
	}
	if (name == "CommandGetImportedKeys") {
		auto table = ReadTableReference(command.body);
		return query_keys("fk_table = $3", "pk_table", table, {Value(table.table)});
	}
	if (name == "CommandGetCrossReference") {
		// a foreign key and what it refers to are in one schema
		auto tables = ReadCrossReference(command.body);
		return query_keys("pk_table = $3 AND fk_table = $4", "pk_table", tables.primary,
		                  {Value(tables.primary.table), Value(tables.foreign.table)});
	}
	if (name == "CommandGetXdbcTypeInfo") {
		auto number = ReadXdbcTypeRequest(command.body);
		return query(TYPES_SQL, {number ? Value::INTEGER(*number) : Value(LogicalType::INTEGER)});
	}
	if (name == "CommandGetSqlInfo") {
		return SqlInfoRows(ReadSqlInfoRequest(command.body), source.read_only);
	}
	throw duckdb::NotImplementedException("The Flight SQL command %s is not supported", name);
}

} // namespace duckherder::flight_sql
