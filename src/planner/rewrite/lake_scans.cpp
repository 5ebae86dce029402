#include "planner/rewrite/lake_scans.hpp"

#include "compat/names.hpp"
#include "compat/results.hpp"
#include "wire/checked_deserializer.hpp"
#include "engine/scan_file.hpp"
#include "wire/serialized.hpp"
#include "engine/internal_query.hpp"
#include "planner/rewrite/lake_deletes.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/table_function_catalog_entry.hpp"
#include "duckdb/common/multi_file/multi_file_reader.hpp"
#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/main/attached_database.hpp"
#include "duckdb/optimizer/column_binding_replacer.hpp"
#include "duckdb/parser/keyword_helper.hpp"
#include "duckdb/parser/tableref/table_function_ref.hpp"
#include "duckdb/planner/operator/logical_get.hpp"
#include "duckdb/transaction/meta_transaction.hpp"

#include <algorithm>
#include <numeric>

namespace duckherder {

using namespace duckdb;

CountedFileList::CountedFileList(vector<OpenFileInfo> files, vector<idx_t> rows_p)
    : SimpleMultiFileList(std::move(files)), rows(std::move(rows_p)) {
}

namespace {

//! What DuckLake's scan says of itself when it is serialized
struct LakeTable {
	string catalog;
	string schema;
	string table;
	idx_t snapshot = 0;
};

//! DuckLake reads a whole table at one snapshot; other kinds give changes between snapshots
constexpr uint8_t SCAN_TABLE = 0;

bool Describe(const LogicalGet &get, LakeTable &result) {
	auto bytes = Serialized(
	    [&](Serializer &serializer) { get.function.serialize(serializer, get.bind_data.get(), get.function); });
	CheckedDeserializer reader(bytes, CheckedDeserializer::Types::ALL);
	reader.Begin();
	result.catalog = reader.ReadProperty<string>(100, "catalog_name");
	result.schema = reader.ReadProperty<string>(101, "schema_name");
	result.table = reader.ReadProperty<string>(102, "table_name");
	reader.ReadObject(103, "snapshot", [&](Deserializer &object) {
		result.snapshot = object.ReadProperty<idx_t>(100, "snapshot_id");
		object.ReadProperty<idx_t>(101, "schema_version");
		object.ReadProperty<idx_t>(102, "next_catalog_id");
		object.ReadProperty<idx_t>(103, "next_file_id");
	});
	auto scan_type = reader.ReadPropertyWithExplicitDefault<uint8_t>(104, "scan_type", uint8_t(SCAN_TABLE));
	auto has_start = reader.ReadPropertyWithExplicitDefault<bool>(105, "has_start_snapshot", false);
	return scan_type == SCAN_TABLE && !has_start;
}

//! The lake's catalog, which DuckLake attaches beside it. Rows of a snapshot never change there.
class LakeMetadata {
public:
	LakeMetadata(ClientContext &context, const LakeTable &lake_p)
	    : lake(lake_p), connection(*context.db),
	      prefix(KeywordHelper::WriteOptionallyQuoted(LAKE_METADATA_PREFIX + lake.catalog) + ".") {
	}

	//! False if it is not where it is looked for
	bool FindTable() {
		auto result =
		    Query("SELECT t.table_id FROM " + Table("ducklake_table") + " t JOIN " + Table("ducklake_schema") +
		          " s ON s.schema_id = t.schema_id WHERE " + At("t") + " AND " + At("s") +
		          " AND t.table_name = " + Quote(lake.table) + " AND s.schema_name = " + Quote(lake.schema));
		auto chunk = result->Fetch();
		if (!chunk || chunk->size() != 1) {
			return false;
		}
		table_id = chunk->GetValue(0, 0).ToString();
		return true;
	}

	//! As read_parquet's `schema`: by field id, name, type and default of files that do not have it
	Value Schema(const LogicalGet &get) {
		auto result =
		    Query("SELECT column_id, column_name, initial_default FROM " + Table("ducklake_column") + " c WHERE " +
		          At("c") + " AND table_id = " + table_id + " AND parent_column IS NULL ORDER BY column_order");
		vector<Value> keys;
		vector<Value> values;
		for (auto &row : *result) {
			auto position = values.size();
			if (position >= get.returned_types.size() || row.GetValue<string>(1) != NameText(get.names[position])) {
				return Value();
			}
			Value fallback(LogicalType::VARCHAR);
			if (!row.IsNull(2)) {
				fallback = Value(row.GetValue<string>(2));
			}
			keys.push_back(Value::INTEGER(row.GetValue<int32_t>(0)));
			values.push_back(Value::STRUCT({{"name", Value(NameText(get.names[position]))},
			                                {"type", Value(get.returned_types[position].ToString())},
			                                {"default_value", fallback}}));
		}
		if (values.size() != get.returned_types.size() || values.empty()) {
			return Value();
		}
		return Value::MAP(LogicalType::INTEGER, values[0].type(), keys, values);
	}

	//! Whether a part of a nested column is not as old as the column, or was once another one: files differ then in
	//! what is within the column, which is not found by field ids
	bool NestedColumnWasAltered() {
		return Count("SELECT count(*) FROM " + Table("ducklake_column") + " part JOIN " + Table("ducklake_column") +
		             " whole ON part.parent_column = whole.column_id AND part.table_id = whole.table_id WHERE " +
		             At("whole") + " AND whole.table_id = " + table_id +
		             " AND (part.end_snapshot IS NOT NULL OR part.begin_snapshot <> whole.begin_snapshot)") > 0;
	}

	//! Rows of each file, by the file's own name. Without those that were merged from files of several snapshots, some
	//! of which are later than ours: only DuckLake's scan leaves out their rows.
	unordered_map<string, idx_t> RowsByFile() {
		unordered_map<string, idx_t> result;
		auto rows =
		    Query("SELECT path, record_count FROM " + Table("ducklake_data_file") + " f WHERE " + At("f") +
		          " AND table_id = " + table_id + " AND coalesce(partial_max, 0) <= " + to_string(lake.snapshot));
		for (auto &row : *rows) {
			result[NameOf(row.GetValue<string>(0))] = row.GetValue<idx_t>(1);
		}
		return result;
	}

	bool HasInlinedRows(const string &inlined_table) {
		return Count("SELECT count(*) FROM " + Table(inlined_table) + " i WHERE " + At("i")) > 0;
	}

	bool HasInlinedDeletes() {
		auto inlined = connection.Query("SELECT count(*) FROM " + Table("ducklake_inlined_delete_" + table_id));
		// it is made with the first such delete
		return !inlined->HasError() && inlined->Fetch()->GetValue(0, 0).GetValue<idx_t>() > 0;
	}

	//! A file that lists rows of a data file that are deleted
	struct DeleteFile {
		//! Of the data file and of this one, as the catalog has them: both below the same directory, or absolute
		string data_path;
		string path;
		idx_t rows = 0;
		idx_t size_bytes = 0;
		//! 0 if it is not known
		idx_t footer_bytes = 0;
		//! Parquet, not encrypted, and the directories are as said
		bool readable = false;
	};

	//! By the data file's own name
	unordered_map<string, DeleteFile> DeletesByFile() {
		unordered_map<string, DeleteFile> result;
		auto rows = Query("SELECT f.path, d.path, d.delete_count, coalesce(d.format, 'parquet') = 'parquet' AND "
		                  "d.encryption_key IS NULL AND f.path_is_relative = d.path_is_relative, d.file_size_bytes, "
		                  "coalesce(d.footer_size, 0) FROM " +
		                  Table("ducklake_delete_file") + " d JOIN " + Table("ducklake_data_file") +
		                  " f ON f.data_file_id = d.data_file_id AND f.table_id = d.table_id WHERE " + At("d") +
		                  " AND " + At("f") + " AND d.table_id = " + table_id);
		for (auto &row : *rows) {
			DeleteFile file;
			file.data_path = row.GetValue<string>(0);
			file.path = row.GetValue<string>(1);
			file.rows = row.GetValue<idx_t>(2);
			file.readable = row.GetValue<bool>(3);
			file.size_bytes = row.GetValue<idx_t>(4);
			file.footer_bytes = row.GetValue<idx_t>(5);
			result[NameOf(file.data_path)] = std::move(file);
		}
		return result;
	}

	bool IsEncrypted() {
		return Count("SELECT count(*) FROM " + Table("ducklake_metadata") +
		             " WHERE key = 'encrypted' AND lower(value) <> 'false'") > 0;
	}

	static string NameOf(const string &path) {
		auto slash = path.find_last_of("/\\");
		return slash == string::npos ? path : path.substr(slash + 1);
	}

private:
	string Table(const string &name) const {
		return prefix + KeywordHelper::WriteOptionallyQuoted(name);
	}

	static string Quote(const string &text) {
		return KeywordHelper::WriteQuoted(text, '\'');
	}

	string At(const string &alias) const {
		auto snapshot = to_string(lake.snapshot);
		return snapshot + " >= " + alias + ".begin_snapshot AND (" + alias + ".end_snapshot IS NULL OR " + snapshot +
		       " < " + alias + ".end_snapshot)";
	}

	unique_ptr<CollectedResult> Query(const string &sql) {
		auto result = connection.Query(sql);
		if (result->HasError()) {
			result->ThrowError();
		}
		return result;
	}

	idx_t Count(const string &sql) {
		return Query(sql)->Fetch()->GetValue(0, 0).GetValue<idx_t>();
	}

	const LakeTable &lake;
	InternalQuery internal;
	Connection connection;
	const string prefix;
	string table_id;
};

bool HasOption(const OpenFileInfo &file, const char *name) {
	return file.extended_info && file.extended_info->options.count(name) > 0;
}

//! The columns that a Parquet scan has under the same number
bool ColumnsOfFiles(const LogicalGet &get) {
	for (auto &column : get.GetColumnIds()) {
		auto index = column.GetPrimaryIndex();
		auto known = index == MultiFileReader::COLUMN_IDENTIFIER_FILENAME ||
		             index == MultiFileReader::COLUMN_IDENTIFIER_FILE_ROW_NUMBER || index == COLUMN_IDENTIFIER_EMPTY;
		if (column.IsVirtualColumn() && !known) {
			return false;
		}
	}
	return true;
}

bool ReadsLake(const LogicalGet &get) {
	return IsLakeScan(get) && get.function.serialize && get.bind_data;
}

bool WasChangedHere(ClientContext &context, const LakeTable &lake) {
	auto modified = MetaTransaction::Get(context).ModifiedDatabase();
	if (!modified || modified->GetName() != lake.catalog || context.transaction.IsAutoCommit()) {
		// by the running statement, at most, which does not read what it writes
		return false;
	}
	auto earlier = context.registered_state->Get<EarlierChanges>(EarlierChanges::NAME);
	return !earlier || earlier->any;
}

//! A scan of Parquet files whose columns are given; null if it would have other types than these
unique_ptr<LogicalGet> ScanParquet(ClientContext &context, TableIndex table_index, const Value &schema,
                                   const vector<LogicalType> &wanted, vector<OpenFileInfo> files, vector<idx_t> rows) {
	auto &entry = Catalog::GetEntry<TableFunctionCatalogEntry>(context, SYSTEM_CATALOG, DEFAULT_SCHEMA, "parquet_scan");
	BoundTableFunction function(
	    entry.functions.GetFunctionByArguments(context, {LogicalType::LIST(LogicalType::VARCHAR)}));
	vector<Value> paths;
	for (auto &file : files) {
		paths.emplace_back(file.path);
	}
	auto total_rows = std::accumulate(rows.begin(), rows.end(), idx_t(0));
	vector<Value> parameters {Value::LIST(LogicalType::VARCHAR, std::move(paths))};
	named_argument_map_t named;
	named["schema"] = schema;
	named["explicit_cardinality"] = Value::UBIGINT(total_rows);
	vector<LogicalType> input_types;
	vector<Identifier> input_names;
	TableFunctionRef ref;
	TableFunctionBindInput input(parameters, named, input_types, input_names, function.function_info.get(), nullptr,
	                             function, ref);
	vector<LogicalType> types;
	vector<Identifier> names;
	auto bind_data = function.bind(context, input, types, names);
	if (types != wanted) {
		return nullptr;
	}
	bind_data->Cast<MultiFileBindData>().file_list =
	    make_shared_ptr<CountedFileList>(std::move(files), std::move(rows));
	function.late_materialization = false;
	function.get_partition_stats = nullptr;
	function.set_scan_order = nullptr;
	virtual_column_map_t virtual_columns;
	if (function.get_virtual_columns) {
		virtual_columns = function.get_virtual_columns(context, bind_data.get());
	}
	auto result = make_uniq<LogicalGet>(table_index, std::move(function), std::move(bind_data), std::move(types),
	                                    std::move(names), std::move(virtual_columns));
	result->SetEstimatedCardinality(total_rows);
	return result;
}

//! As read_parquet's `schema`
Value ColumnOfFile(const string &name, const LogicalType &type) {
	return Value::STRUCT(
	    {{"name", Value(name)}, {"type", Value(type.ToString())}, {"default_value", Value(LogicalType::VARCHAR)}});
}

//! Lakes of more deletes than this are read where their catalog is: all tasks of a scan are told of all of them
constexpr idx_t DELETES_MAX = 4'000'000;

class LakeScan {
public:
	LakeScan(ClientContext &context_p, Binder &binder_p, LogicalGet &get_p)
	    : context(context_p), binder(binder_p), get(get_p) {
	}

	//! Null: it stays as it is. Shows the same columns, not always by the same bindings
	unique_ptr<LogicalOperator> ToParquet() {
		LakeTable lake;
		if (!ColumnsOfFiles(get) || !Describe(get, lake) || WasChangedHere(context, lake)) {
			return nullptr;
		}
		LakeMetadata metadata(context, lake);
		if (!metadata.FindTable() || metadata.HasInlinedDeletes() || !ChooseFiles(metadata)) {
			return nullptr;
		}
		auto &types = get.returned_types;
		auto nested = std::any_of(types.begin(), types.end(), [](const LogicalType &type) { return type.IsNested(); });
		if (nested && metadata.NestedColumnWasAltered()) {
			return nullptr;
		}
		auto schema = metadata.Schema(get);
		if (schema.IsNull()) {
			return nullptr;
		}
		auto index = deletes.empty() ? get.table_index : binder.GenerateTableIndex();
		auto scan = ScanParquet(context, index, schema, get.returned_types, files, rows);
		if (!scan || deletes.empty()) {
			return scan ? TakeOver(std::move(scan)) : nullptr;
		}
		return LeaveOutDeleted(std::move(scan), lake.snapshot);
	}

	//! If rows are left out: the join that does it, and what the scan's columns are called now
	optional_ptr<const LogicalOperator> join;
	vector<ReplacementBinding> replaced;

private:
	bool ChooseFiles(LakeMetadata &metadata) {
		auto rows_by_file = metadata.RowsByFile();
		auto deletes_by_file = metadata.DeletesByFile();
		for (auto &file : get.bind_data->Cast<MultiFileBindData>().file_list->GetAllFiles()) {
			if (HasOption(file, "inlined_data")) {
				if (HasOption(file, "transaction_local_data") ||
				    metadata.HasInlinedRows(file.extended_info->options["table_name"].ToString())) {
					return false;
				}
				continue;
			}
			auto name = LakeMetadata::NameOf(file.path);
			auto count = rows_by_file.find(name);
			if (HasOption(file, "mapping_id") || HasOption(file, "encryption_key") || count == rows_by_file.end()) {
				return false;
			}
			auto deleted = deletes_by_file.find(name);
			if (HasOption(file, "has_deletes") != (deleted != deletes_by_file.end()) ||
			    (deleted != deletes_by_file.end() && !AddDeletes(file.path, deleted->second))) {
				return false;
			}
			files.push_back(ToOpenFileInfo(DescribeFile(file)));
			rows.push_back(count->second);
		}
		return !files.empty() && std::accumulate(deleted_rows.begin(), deleted_rows.end(), idx_t(0)) <= DELETES_MAX;
	}

	bool AddDeletes(const string &data_file, const LakeMetadata::DeleteFile &deleted) {
		if (!deleted.readable || !StringUtil::EndsWith(data_file, deleted.data_path)) {
			return false;
		}
		auto directory = data_file.substr(0, data_file.size() - deleted.data_path.size());
		deletes.push_back({data_file, directory + deleted.path});
		ScanFile file(deletes.back().delete_file);
		// as DuckLake itself has it
		file.has_version = true;
		file.immutable = true;
		file.size_bytes = deleted.size_bytes;
		file.footer_bytes = deleted.footer_bytes;
		delete_files.push_back(ToOpenFileInfo(file));
		deleted_rows.push_back(deleted.rows);
		return true;
	}

	unique_ptr<LogicalGet> TakeOver(unique_ptr<LogicalGet> result) {
		result->SetColumnIds(vector<ColumnIndex>(get.GetColumnIds()));
		result->projection_ids = get.projection_ids;
		result->table_filters = std::move(get.table_filters);
		result->dynamic_filters = get.dynamic_filters;
		result->extra_info = std::move(get.extra_info);
		if (get.has_estimated_cardinality) {
			result->SetEstimatedCardinality(get.estimated_cardinality);
		}
		result->ResolveOperatorTypes();
		return result;
	}

	unique_ptr<LogicalOperator> LeaveOutDeleted(unique_ptr<LogicalGet> scan, idx_t snapshot) {
		vector<Value> ids {Value::INTEGER(MultiFileReader::ORDINAL_FIELD_ID),
		                   Value::INTEGER(MultiFileReader::LAST_UPDATED_SEQUENCE_NUMBER_ID)};
		vector<Value> named {ColumnOfFile("pos", LogicalType::BIGINT), ColumnOfFile("snapshot", LogicalType::BIGINT)};
		auto type = named[0].type();
		auto schema = Value::MAP(LogicalType::INTEGER, type, std::move(ids), std::move(named));
		auto positions = ScanParquet(context, binder.GenerateTableIndex(), schema,
		                             {LogicalType::BIGINT, LogicalType::BIGINT}, delete_files, deleted_rows);
		if (!positions) {
			return nullptr;
		}
		positions->SetColumnIds({ColumnIndex(0), ColumnIndex(1)});
		vector<string> data_files;
		for (auto &file : files) {
			data_files.push_back(file.path);
		}
		auto index = binder.GenerateTableIndex();
		auto bindings = get.GetColumnBindings();
		auto types = get.types;
		auto result = WithoutDeleted(context, binder, {TakeOver(std::move(scan)), bindings, std::move(types)},
		                             std::move(positions), data_files, deletes, snapshot, index, join);
		for (idx_t i = 0; result && i < bindings.size(); i++) {
			replaced.emplace_back(bindings[i], ColumnBinding(index, ProjectionIndex(i)));
		}
		return result;
	}

	ClientContext &context;
	Binder &binder;
	LogicalGet &get;
	vector<OpenFileInfo> files;
	vector<idx_t> rows;
	vector<LakeDeletes> deletes;
	vector<OpenFileInfo> delete_files;
	vector<idx_t> deleted_rows;
};

} // namespace

bool IsLakeScan(const LogicalGet &get) {
	return FunctionName(get.function) == "ducklake_scan";
}

bool IsEncryptedLake(ClientContext &context, const string &catalog) {
	LakeTable lake;
	lake.catalog = catalog;
	try {
		return LakeMetadata(context, lake).IsEncrypted();
	} catch (const std::exception &) {
		return true;
	}
}

static void ReplaceScans(ClientContext &context, Binder &binder, unique_ptr<LogicalOperator> &plan,
                         ColumnBindingReplacer &replacer, unordered_set<const LogicalOperator *> &joins) {
	for (auto &child : plan->children) {
		ReplaceScans(context, binder, child, replacer, joins);
	}
	if (plan->type != LogicalOperatorType::LOGICAL_GET || !ReadsLake(plan->Cast<LogicalGet>())) {
		return;
	}
	LakeScan scan(context, binder, plan->Cast<LogicalGet>());
	try {
		auto parquet = scan.ToParquet();
		if (!parquet) {
			return;
		}
		plan = std::move(parquet);
	} catch (const std::exception &) {
		// a catalog of another form than this one knows: the lake's own scan reads it
		return;
	}
	if (scan.join) {
		joins.insert(scan.join.get());
	}
	replacer.replacement_bindings.insert(replacer.replacement_bindings.end(), scan.replaced.begin(),
	                                     scan.replaced.end());
}

unordered_set<const LogicalOperator *> ReadLakeFiles(ClientContext &context, Binder &binder,
                                                     unique_ptr<LogicalOperator> &plan) {
	unordered_set<const LogicalOperator *> joins;
	ColumnBindingReplacer replacer;
	ReplaceScans(context, binder, plan, replacer, joins);
	if (!replacer.replacement_bindings.empty()) {
		replacer.VisitOperator(*plan);
	}
	return joins;
}

} // namespace duckherder
