#include "wire/json.hpp"

#include "duckdb/common/exception.hpp"

#include <cstdlib>

namespace duckherder {

using namespace duckdb_yyjson;

JsonNode::JsonNode(yyjson_mut_doc *document_p, yyjson_mut_val *node_p) : document(document_p), node(node_p) {
}

yyjson_mut_val *JsonNode::Text(const std::string &text) {
	return yyjson_mut_strncpy(document, text.data(), text.size());
}

void JsonNode::Put(const char *name, yyjson_mut_val *value) {
	yyjson_mut_obj_add(node, yyjson_mut_str(document, name), value);
}

JsonNode JsonNode::Object(const char *name) {
	return {document, yyjson_mut_obj_add_obj(document, node, name)};
}

JsonNode JsonNode::Array(const char *name) {
	return {document, yyjson_mut_obj_add_arr(document, node, name)};
}

void JsonNode::Set(const char *name, const std::string &text) {
	Put(name, Text(text));
}

void JsonNode::Set(const char *name, const char *text) {
	Put(name, Text(text));
}

void JsonNode::Set(const char *name, uint64_t number) {
	Put(name, yyjson_mut_uint(document, number));
}

void JsonNode::Set(const char *name, int64_t number) {
	Put(name, yyjson_mut_sint(document, number));
}

void JsonNode::Set(const char *name, uint32_t number) {
	Set(name, static_cast<uint64_t>(number));
}

void JsonNode::Set(const char *name, double number) {
	Put(name, yyjson_mut_real(document, number));
}

void JsonNode::Set(const char *name, bool truth) {
	Put(name, yyjson_mut_bool(document, truth));
}

void JsonNode::Set(const char *name, const std::optional<std::string> &text) {
	Put(name, text ? Text(*text) : yyjson_mut_null(document));
}

void JsonNode::SetNull(const char *name) {
	Put(name, yyjson_mut_null(document));
}

void JsonNode::SetCopied(const std::string &name, uint64_t number) {
	yyjson_mut_obj_add(node, Text(name), yyjson_mut_uint(document, number));
}

JsonNode JsonNode::AddObject() {
	return {document, yyjson_mut_arr_add_obj(document, node)};
}

JsonNode JsonNode::AddArray() {
	return {document, yyjson_mut_arr_add_arr(document, node)};
}

void JsonNode::Add(const std::string &text) {
	yyjson_mut_arr_append(node, Text(text));
}

void JsonNode::Add(uint64_t number) {
	yyjson_mut_arr_append(node, yyjson_mut_uint(document, number));
}

void JsonNode::Add(double number) {
	yyjson_mut_arr_append(node, yyjson_mut_real(document, number));
}

void JsonNode::Add(bool truth) {
	yyjson_mut_arr_append(node, yyjson_mut_bool(document, truth));
}

void JsonNode::AddNull() {
	yyjson_mut_arr_append(node, yyjson_mut_null(document));
}

JsonDocument::JsonDocument() : document(yyjson_mut_doc_new(nullptr)) {
	yyjson_mut_doc_set_root(document.get(), yyjson_mut_obj(document.get()));
}

JsonNode JsonDocument::Root() {
	return {document.get(), yyjson_mut_doc_get_root(document.get())};
}

std::string JsonDocument::Text() const {
	size_t length = 0;
	// infinity and NaN are no JSON; no figure of ours is one, but an average of nothing could be
	auto flags = YYJSON_WRITE_ALLOW_INVALID_UNICODE | YYJSON_WRITE_INF_AND_NAN_AS_NULL;
	std::unique_ptr<char, decltype(&std::free)> text(
	    yyjson_mut_write_opts(document.get(), flags, nullptr, &length, nullptr), &std::free);
	if (!text) {
		throw duckdb::InternalException("An answer cannot be written as JSON");
	}
	return std::string(text.get(), length) + "\n";
}

} // namespace duckherder
