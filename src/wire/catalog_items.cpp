#include "wire/catalog_items.hpp"

#include "wire/checked_deserializer.hpp"
#include "wire/serialized.hpp"

#include <functional>

namespace duckherder {

using namespace duckdb;

namespace {

void Read(const std::string &bytes, const char *what, const std::function<void(Deserializer &)> &read) {
	try {
		CheckedDeserializer deserializer(bytes, CheckedDeserializer::Types::ALL);
		deserializer.Begin();
		read(deserializer);
		deserializer.End();
	} catch (const std::exception &error) {
		throw SerializationException("these %llu bytes are no %s: %s", idx_t(bytes.size()), what,
		                             ErrorData(error).RawMessage());
	}
}

void WriteIndex(Serializer &serializer, const IndexInfo &index) {
	serializer.WriteProperty(100, "unique", index.is_unique);
	serializer.WriteProperty(101, "primary", index.is_primary);
	serializer.WriteProperty(102, "foreign", index.is_foreign);
	vector<idx_t> columns(index.column_set.begin(), index.column_set.end());
	serializer.WriteProperty(103, "columns", columns);
}

IndexInfo ReadIndex(Deserializer &deserializer) {
	IndexInfo index;
	deserializer.ReadProperty(100, "unique", index.is_unique);
	deserializer.ReadProperty(101, "primary", index.is_primary);
	deserializer.ReadProperty(102, "foreign", index.is_foreign);
	for (auto column : deserializer.ReadProperty<vector<idx_t>>(103, "columns")) {
		index.column_set.insert(column);
	}
	return index;
}

void WriteItem(Serializer &serializer, const CatalogItem &item) {
	serializer.WriteObject(100, "definition", [&](Serializer &object) { item.definition->Serialize(object); });
	serializer.WriteList(103, "indexes", item.indexes.size(), [&](Serializer::List &list, idx_t i) {
		list.WriteObject([&](Serializer &object) { WriteIndex(object, item.indexes[i]); });
	});
	serializer.WriteList(104, "virtual_columns", item.virtual_columns.size(), [&](Serializer::List &list, idx_t i) {
		list.WriteObject([&](Serializer &object) {
			object.WriteProperty(100, "id", item.virtual_columns[i].id);
			object.WriteProperty(101, "name", item.virtual_columns[i].name);
			object.WriteProperty(102, "type", item.virtual_columns[i].type);
		});
	});
	vector<idx_t> row_ids(item.row_id_columns.begin(), item.row_id_columns.end());
	serializer.WriteProperty(105, "row_id_columns", row_ids);
	serializer.WriteProperty(106, "updates_whole_rows", item.updates_whole_rows);
	serializer.WriteProperty(107, "counter", item.counter);
}

CatalogItem ReadItem(Deserializer &deserializer) {
	CatalogItem item;
	deserializer.ReadObject(100, "definition",
	                        [&](Deserializer &object) { item.definition = CreateInfo::Deserialize(object); });
	if (!item.definition) {
		throw SerializationException("an entry without a definition");
	}
	deserializer.ReadList(103, "indexes", [&](Deserializer::List &list, idx_t) {
		list.ReadObject([&](Deserializer &object) { item.indexes.push_back(ReadIndex(object)); });
	});
	deserializer.ReadList(104, "virtual_columns", [&](Deserializer::List &list, idx_t) {
		list.ReadObject([&](Deserializer &object) {
			VirtualColumn column;
			object.ReadProperty(100, "id", column.id);
			object.ReadProperty(101, "name", column.name);
			object.ReadProperty(102, "type", column.type);
			item.virtual_columns.push_back(std::move(column));
		});
	});
	for (auto column : deserializer.ReadProperty<vector<idx_t>>(105, "row_id_columns")) {
		item.row_id_columns.push_back(column);
	}
	deserializer.ReadProperty(106, "updates_whole_rows", item.updates_whole_rows);
	deserializer.ReadProperty(107, "counter", item.counter);
	return item;
}

} // namespace

std::string EncodeCatalogItems(const std::vector<CatalogItem> &items) {
	return Serialized([&](Serializer &serializer) {
		serializer.WriteList(100, "items", items.size(), [&](Serializer::List &list, idx_t i) {
			list.WriteObject([&](Serializer &object) { WriteItem(object, items[i]); });
		});
	});
}

std::vector<CatalogItem> DecodeCatalogItems(const std::string &bytes) {
	std::vector<CatalogItem> items;
	Read(bytes, "catalog", [&](Deserializer &deserializer) {
		deserializer.ReadList(100, "items", [&](Deserializer::List &list, idx_t) {
			list.ReadObject([&](Deserializer &object) { items.push_back(ReadItem(object)); });
		});
	});
	return items;
}

std::string EncodeDefinition(const ParseInfo &definition) {
	return Serialized([&](Serializer &serializer) {
		// DuckDB reads those of CREATE by another function than all others
		serializer.WriteProperty(99, "creates", definition.info_type == ParseInfoType::CREATE_INFO);
		serializer.WriteObject(100, "definition", [&](Serializer &object) { definition.Serialize(object); });
	});
}

unique_ptr<ParseInfo> DecodeDefinition(const std::string &bytes) {
	unique_ptr<ParseInfo> result;
	Read(bytes, "definition", [&](Deserializer &deserializer) {
		auto creates = deserializer.ReadProperty<bool>(99, "creates");
		deserializer.ReadObject(100, "definition", [&](Deserializer &object) {
			if (creates) {
				result = CreateInfo::Deserialize(object);
			} else {
				result = ParseInfo::Deserialize(object);
			}
		});
	});
	if (!result) {
		throw SerializationException("a definition that defines nothing");
	}
	return result;
}

} // namespace duckherder
