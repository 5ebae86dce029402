#pragma once

#include "wire/checked_deserializer.hpp"

#include "duckdb/common/serializer/deserializer.hpp"
#include "duckdb/common/serializer/serializer.hpp"

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

//! How the fields of a message become bytes and come back.
namespace duckherder {

//! Each message lists its fields once, in a function template that a FieldWriter and a FieldReader go through. A reader
//! leaves a field that is not there as it is, so the defaults of a message are those of its struct.

class FieldWriter {
public:
	explicit FieldWriter(duckdb::Serializer &serializer_p) : serializer(serializer_p) {
	}

	template <class T>
	void Field(duckdb::field_id_t id, const char *name, const T &value) {
		serializer.WriteProperty(id, name, value);
	}
	template <class E>
	void Enum(duckdb::field_id_t id, const char *name, const E &value, E) {
		serializer.WriteProperty(id, name, static_cast<uint8_t>(value));
	}
	template <class T>
	void List(duckdb::field_id_t id, const char *name, const std::vector<T> &values) {
		serializer.WriteList(id, name, values.size(),
		                     [&](duckdb::Serializer::List &list, duckdb::idx_t i) { list.WriteElement(values[i]); });
	}
	template <class T>
	void Object(duckdb::field_id_t id, const char *name, const T &value) {
		serializer.WriteObject(id, name, [&](duckdb::Serializer &object) {
			FieldWriter writer(object);
			Fields(writer, value);
		});
	}
	template <class T>
	void Objects(duckdb::field_id_t id, const char *name, const std::vector<T> &values) {
		serializer.WriteList(id, name, values.size(), [&](duckdb::Serializer::List &list, duckdb::idx_t i) {
			list.WriteObject([&](duckdb::Serializer &object) {
				FieldWriter writer(object);
				Fields(writer, values[i]);
			});
		});
	}
	//! A list of one or none
	template <class T>
	void OptionalObject(duckdb::field_id_t id, const char *name, const std::optional<T> &value) {
		Objects(id, name, value ? std::vector<T> {*value} : std::vector<T>());
	}
	//! The number of the alternative, and its fields
	template <class... PARTS>
	void Variant(duckdb::field_id_t id, const char *name, const std::variant<PARTS...> &value) {
		serializer.WriteObject(id, name, [&](duckdb::Serializer &object) {
			FieldWriter writer(object);
			writer.Field(1, "kind", static_cast<uint8_t>(value.index()));
			std::visit([&](auto &part) { Fields(writer, part); }, value);
		});
	}
	void Text(duckdb::field_id_t id, const char *name, const std::shared_ptr<const std::string> &value) {
		serializer.WriteProperty(id, name, value ? *value : std::string());
	}
	//! An empty one becomes null
	void OptionalList(duckdb::field_id_t id, const char *name,
	                  const std::shared_ptr<const std::vector<std::string>> &values) {
		List(id, name, values ? *values : std::vector<std::string>());
	}
	void Types(duckdb::field_id_t id, const char *name, const duckdb::vector<duckdb::LogicalType> &types) {
		Field(id, name, types);
	}
	template <class T>
	void SharedObjects(duckdb::field_id_t id, const char *name, const std::shared_ptr<const std::vector<T>> &values) {
		Objects(id, name, values ? *values : std::vector<T>());
	}

private:
	duckdb::Serializer &serializer;
};

class FieldReader {
public:
	explicit FieldReader(duckdb::Deserializer &deserializer_p) : deserializer(deserializer_p) {
	}

	template <class T>
	void Field(duckdb::field_id_t id, const char *name, T &value) {
		deserializer.ReadPropertyWithExplicitDefault<T>(id, name, value, T(value));
	}
	template <class E>
	void Enum(duckdb::field_id_t id, const char *name, E &value, E last) {
		auto number = static_cast<uint8_t>(value);
		Field(id, name, number);
		if (number > static_cast<uint8_t>(last)) {
			throw duckdb::SerializationException("%s is %d, which is unknown here", name, number);
		}
		value = static_cast<E>(number);
	}
	template <class T>
	void List(duckdb::field_id_t id, const char *name, std::vector<T> &values) {
		deserializer.ReadOptionalList(id, name, [&](duckdb::Deserializer::List &list, duckdb::idx_t) {
			values.push_back(list.template ReadElement<T>());
		});
	}
	template <class T>
	void Object(duckdb::field_id_t id, const char *name, T &value) {
		deserializer.ReadObject(id, name, [&](duckdb::Deserializer &object) {
			FieldReader reader(object);
			Fields(reader, value);
		});
	}
	template <class T>
	void Objects(duckdb::field_id_t id, const char *name, std::vector<T> &values) {
		deserializer.ReadOptionalList(id, name, [&](duckdb::Deserializer::List &list, duckdb::idx_t) {
			list.ReadObject([&](duckdb::Deserializer &object) {
				values.emplace_back();
				FieldReader reader(object);
				Fields(reader, values.back());
			});
		});
	}
	template <class T>
	void OptionalObject(duckdb::field_id_t id, const char *name, std::optional<T> &value) {
		std::vector<T> objects;
		Objects(id, name, objects);
		if (objects.size() > 1) {
			throw duckdb::SerializationException("%s stands there %llu times", name, objects.size());
		}
		value = objects.empty() ? std::nullopt : std::optional<T>(objects[0]);
	}
	template <class... PARTS>
	void Variant(duckdb::field_id_t id, const char *name, std::variant<PARTS...> &value) {
		deserializer.ReadObject(id, name, [&](duckdb::Deserializer &object) {
			FieldReader reader(object);
			uint8_t number = 0;
			reader.Field(1, "kind", number);
			size_t index = 0;
			auto known = ((index++ == number && (value.template emplace<PARTS>(), true)) || ...);
			if (!known) {
				throw duckdb::SerializationException("%s is of kind %d, which is unknown here", name, number);
			}
			std::visit([&](auto &part) { Fields(reader, part); }, value);
		});
	}
	void Text(duckdb::field_id_t id, const char *name, std::shared_ptr<const std::string> &value) {
		std::string text;
		Field(id, name, text);
		value = std::make_shared<const std::string>(std::move(text));
	}
	void OptionalList(duckdb::field_id_t id, const char *name,
	                  std::shared_ptr<const std::vector<std::string>> &values) {
		std::vector<std::string> texts;
		List(id, name, texts);
		values = texts.empty() ? nullptr : std::make_shared<const std::vector<std::string>>(std::move(texts));
	}
	void Types(duckdb::field_id_t id, const char *name, duckdb::vector<duckdb::LogicalType> &types) {
		Field(id, name, types);
		for (auto &type : types) {
			CheckColumnType(type);
		}
	}
	template <class T>
	void SharedObjects(duckdb::field_id_t id, const char *name, std::shared_ptr<const std::vector<T>> &values) {
		std::vector<T> objects;
		Objects(id, name, objects);
		values = std::make_shared<const std::vector<T>>(std::move(objects));
	}

private:
	duckdb::Deserializer &deserializer;
};

//! T or const T, so that one list of fields serves both directions
template <class T, class MESSAGE>
concept Is = std::is_same_v<std::remove_const_t<T>, MESSAGE>;

} // namespace duckherder
