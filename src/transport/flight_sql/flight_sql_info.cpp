#include "transport/flight_sql/flight_sql_metadata.hpp"

#include "duckdb.hpp"
#include "duckdb/common/exception.hpp"

#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_nested.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/builder_union.h>
#include <arrow/util/config.h>

#include <map>
#include <variant>
#include <vector>

//! What GetSqlInfo answers. The numbers and the meaning of each are the protocol's: FlightSql.proto, SqlInfo.
namespace duckherder::flight_sql {

namespace {

//! Its kind is its place in the union: text, yes or no, a number, bits or an enum's value, texts
using InfoValue = std::variant<std::string, bool, int64_t, int32_t, std::vector<std::string>>;

constexpr int8_t TEXTS_CODE = 4;
constexpr int8_t MAP_CODE = 5;
//! What may be converted to what, by CAST. Its value is a map, which is empty: all clients ask SQL instead.
constexpr uint32_t SQL_SUPPORTS_CONVERT = 517;

void Check(const arrow::Status &status) {
	if (!status.ok()) {
		throw duckdb::InternalException("SqlInfo cannot be written as Arrow: %s", status.message());
	}
}

InfoValue Number(int64_t value) {
	return InfoValue(value);
}

InfoValue Bits(int32_t value) {
	return InfoValue(value);
}

//! Of the server and of its calls
std::map<uint32_t, InfoValue> ServerInfos(bool read_only) {
	return {
	    {0, std::string("Duckherder")},
	    {1, std::string("DuckDB ") + duckdb::DuckDB::LibraryVersion()},
	    {2, std::string(ARROW_VERSION_STRING)},
	    {3, read_only},
	    {4, true},      // SQL
	    {5, false},     // Substrait
	    {8, Bits(1)},   // transactions, without savepoints
	    {9, true},      // CancelFlightInfo
	    {10, true},     // bulk ingestion
	    {11, true},     // in transactions
	    {100, Bits(0)}, // statements have no timeout
	    {101, Bits(0)},
	};
}

//! Of its SQL
std::map<uint32_t, InfoValue> SqlInfos() {
	return {{500, false}, // CREATE CATALOG
	        {501, true},  // CREATE SCHEMA
	        {502, true},  // CREATE TABLE
	        {503, Number(1)},
	        {504, std::string("\"")},
	        {505, Number(1)}, // quoted names are case-insensitive too
	        {506, true},
	        {507, Number(3)}, // NULLs come last
	        {508, std::vector<std::string>()},
	        {509, std::vector<std::string> {"abs", "ceil", "exp", "floor", "ln", "log10", "mod", "pi", "power",
	                                        "random", "round", "sign", "sin", "sqrt", "trunc"}},
	        {510, std::vector<std::string> {"ascii", "concat", "left", "length", "lower", "ltrim", "position", "repeat",
	                                        "replace", "right", "rtrim", "substring", "trim", "upper"}},
	        {511, std::vector<std::string> {"coalesce", "current_database", "current_schema", "ifnull", "nullif"}},
	        {512, std::vector<std::string> {"current_date", "date_diff", "date_part", "date_trunc", "dayname",
	                                        "extract", "monthname", "now", "strftime", "strptime"}},
	        {513, std::string("\\")},
	        {514, std::string()},
	        {515, true},
	        {516, true},
	        {518, true},
	        {519, false},
	        {520, true},
	        {521, true},
	        {522, Bits(3)}, // GROUP BY: unrelated, and beyond SELECT
	        {523, true},
	        {524, true},
	        {525, Bits(7)}, // all grammars
	        {526, Bits(7)},
	        {527, true},
	        {528, Bits(6)}, // limited and full outer joins
	        {529, std::string("schema")},
	        {530, std::string("macro")},
	        {531, std::string("database")},
	        {532, true},
	        {533, Bits(2)}, // schemas in definitions of indexes
	        {534, Bits(2)},
	        {535, Bits(0)},
	        {536, false},
	        {537, false},
	        {538, Bits(15)}, // all subqueries
	        {539, true},
	        {540, Bits(3)}, // UNION, UNION ALL
	        {556, true},
	        // The transactions of SQL are for clients that begin and end them by the protocol's own calls (8). The JDBC
	        // driver, which asks for these, has none: its commit and rollback do nothing.
	        {562, Number(0)},
	        {563, false},
	        {564, Bits(1 << 0)},
	        {565, false},
	        {566, false},
	        {567, Bits(1 << 1)}, // results are read forward only
	        {568, Bits(1 << 0)},
	        {569, Bits(1 << 1)},
	        {570, Bits(0)},
	        {571, Bits(0)},
	        {572, true},
	        {573, false},
	        {574, true},
	        {575, false},
	        {576, false}};
}

std::map<uint32_t, InfoValue> Infos(bool read_only) {
	auto infos = ServerInfos(read_only);
	infos.merge(SqlInfos());
	// limits of lengths and counts: none
	for (uint32_t limit = 541; limit <= 561; limit++) {
		infos.emplace(limit, int64_t(0));
	}
	return infos;
}

//! The union that SqlInfo's values are
class ValueBuilder {
public:
	ValueBuilder()
	    : texts(std::make_shared<arrow::StringBuilder>()), flags(std::make_shared<arrow::BooleanBuilder>()),
	      numbers(std::make_shared<arrow::Int64Builder>()), bits(std::make_shared<arrow::Int32Builder>()),
	      list_texts(std::make_shared<arrow::StringBuilder>()),
	      lists(std::make_shared<arrow::ListBuilder>(arrow::default_memory_pool(), list_texts)),
	      map_values(std::make_shared<arrow::ListBuilder>(arrow::default_memory_pool(),
	                                                      std::make_shared<arrow::Int32Builder>())),
	      maps(std::make_shared<arrow::MapBuilder>(arrow::default_memory_pool(),
	                                               std::make_shared<arrow::Int32Builder>(), map_values)),
	      values(arrow::default_memory_pool(), {texts, flags, numbers, bits, lists, maps},
	             SqlInfoSchema()->field(1)->type()) {
	}

	void Append(const InfoValue &value) {
		Check(values.Append(static_cast<int8_t>(value.index())));
		if (auto text = std::get_if<std::string>(&value)) {
			Check(texts->Append(*text));
		} else if (auto flag = std::get_if<bool>(&value)) {
			Check(flags->Append(*flag));
		} else if (auto number = std::get_if<int64_t>(&value)) {
			Check(numbers->Append(*number));
		} else if (auto bit = std::get_if<int32_t>(&value)) {
			Check(bits->Append(*bit));
		} else {
			Check(lists->Append());
			Check(list_texts->AppendValues(std::get<TEXTS_CODE>(value)));
		}
	}

	void AppendEmptyMap() {
		Check(values.Append(MAP_CODE));
		Check(maps->Append());
	}

	std::shared_ptr<arrow::Array> Finish() {
		std::shared_ptr<arrow::Array> array;
		Check(values.Finish(&array));
		return array;
	}

private:
	std::shared_ptr<arrow::StringBuilder> texts;
	std::shared_ptr<arrow::BooleanBuilder> flags;
	std::shared_ptr<arrow::Int64Builder> numbers;
	std::shared_ptr<arrow::Int32Builder> bits;
	std::shared_ptr<arrow::StringBuilder> list_texts;
	std::shared_ptr<arrow::ListBuilder> lists;
	std::shared_ptr<arrow::ListBuilder> map_values;
	std::shared_ptr<arrow::MapBuilder> maps;
	arrow::DenseUnionBuilder values;
};

} // namespace

std::shared_ptr<arrow::Schema> SqlInfoSchema() {
	auto value = arrow::dense_union(
	    {arrow::field("string_value", arrow::utf8()), arrow::field("bool_value", arrow::boolean()),
	     arrow::field("bigint_value", arrow::int64()), arrow::field("int32_bitmask", arrow::int32()),
	     arrow::field("string_list", arrow::list(arrow::utf8())),
	     arrow::field("int32_to_int32_list_map", arrow::map(arrow::int32(), arrow::list(arrow::int32())))},
	    {0, 1, 2, 3, TEXTS_CODE, MAP_CODE});
	return arrow::schema({arrow::field("info_name", arrow::uint32(), false), arrow::field("value", value, false)});
}

std::shared_ptr<arrow::RecordBatch> SqlInfoRows(const std::vector<uint32_t> &wanted, bool read_only) {
	auto infos = Infos(read_only);
	std::vector<uint32_t> names = wanted;
	if (names.empty()) {
		for (auto &info : infos) {
			names.push_back(info.first);
		}
		names.push_back(SQL_SUPPORTS_CONVERT);
	}
	arrow::UInt32Builder numbers;
	ValueBuilder values;
	int64_t rows = 0;
	for (auto name : names) {
		auto info = infos.find(name);
		if (info == infos.end() && name != SQL_SUPPORTS_CONVERT) {
			continue;
		}
		Check(numbers.Append(name));
		if (info == infos.end()) {
			values.AppendEmptyMap();
		} else {
			values.Append(info->second);
		}
		rows++;
	}
	std::shared_ptr<arrow::Array> column;
	Check(numbers.Finish(&column));
	return arrow::RecordBatch::Make(SqlInfoSchema(), rows, {column, values.Finish()});
}

} // namespace duckherder::flight_sql
