#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <yyjson.hpp>

namespace duckherder {

//! An object or array of a JsonDocument, which has to outlive it. Not thread-safe.
class JsonNode {
public:
	JsonNode(duckdb_yyjson::yyjson_mut_doc *document, duckdb_yyjson::yyjson_mut_val *node);

	// Of an object. Names are literals: they are not copied.
	JsonNode Object(const char *name);
	JsonNode Array(const char *name);
	void Set(const char *name, const std::string &text);
	void Set(const char *name, const char *text);
	void Set(const char *name, uint64_t number);
	void Set(const char *name, int64_t number);
	void Set(const char *name, uint32_t number);
	void Set(const char *name, double number);
	void Set(const char *name, bool truth);
	void Set(const char *name, const std::optional<std::string> &text);
	void SetNull(const char *name);
	//! With a name that is not a literal
	void SetCopied(const std::string &name, uint64_t number);

	// Of an array
	JsonNode AddObject();
	JsonNode AddArray();
	void Add(const std::string &text);
	void Add(uint64_t number);
	void Add(double number);
	void Add(bool truth);
	void AddNull();

private:
	duckdb_yyjson::yyjson_mut_val *Text(const std::string &text);
	void Put(const char *name, duckdb_yyjson::yyjson_mut_val *value);

	duckdb_yyjson::yyjson_mut_doc *document;
	duckdb_yyjson::yyjson_mut_val *node;
};

//! A JSON text in the making, whose root is an object
class JsonDocument {
public:
	JsonDocument();
	JsonNode Root();
	//! Bytes that are no UTF-8 stay as they are.
	std::string Text() const;

private:
	struct Free {
		void operator()(duckdb_yyjson::yyjson_mut_doc *document) const {
			duckdb_yyjson::yyjson_mut_doc_free(document);
		}
	};
	std::unique_ptr<duckdb_yyjson::yyjson_mut_doc, Free> document;
};

} // namespace duckherder
