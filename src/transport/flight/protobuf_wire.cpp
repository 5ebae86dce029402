#include "transport/flight/protobuf_wire.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/common/types/value.hpp"

namespace duckherder {

namespace {

constexpr uint32_t VARINT = 0;
constexpr uint32_t FIXED_64 = 1;
constexpr uint32_t LENGTH_DELIMITED = 2;
constexpr uint32_t FIXED_32 = 5;
constexpr uint32_t WIRE_TYPE_BITS = 3;
constexpr uint64_t FIELD_MAX = (1ULL << 29) - 1;
//! Of a varint: ten groups of seven bits
constexpr uint32_t LAST_SHIFT = 63;

} // namespace

ProtobufReader::ProtobufReader(std::string_view bytes) : rest(bytes) {
}

void ProtobufReader::Fail(const char *what) const {
	throw duckdb::SerializationException("a protobuf message %s, %llu bytes before its end", what, rest.size());
}

uint64_t ProtobufReader::ReadVarint() {
	uint64_t value = 0;
	for (uint32_t shift = 0; shift <= LAST_SHIFT; shift += 7) {
		if (rest.empty()) {
			Fail("ends within a number");
		}
		auto byte = static_cast<uint8_t>(rest.front());
		rest.remove_prefix(1);
		if (shift == LAST_SHIFT && byte > 1) {
			Fail("has a number of more than 64 bits");
		}
		value |= static_cast<uint64_t>(byte & 0x7f) << shift;
		if (byte < 0x80) {
			return value;
		}
	}
	Fail("has a number of more than 64 bits");
}

void ProtobufReader::Take(uint64_t count) {
	if (count > rest.size()) {
		Fail("has a field that is longer than it");
	}
	content = rest.substr(0, count);
	rest.remove_prefix(count);
}

bool ProtobufReader::Next() {
	if (rest.empty()) {
		return false;
	}
	auto tag = ReadVarint();
	wire_type = static_cast<uint32_t>(tag & ((1U << WIRE_TYPE_BITS) - 1));
	auto number_of_field = tag >> WIRE_TYPE_BITS;
	if (number_of_field == 0 || number_of_field > FIELD_MAX) {
		Fail("has a field with a number that there is not");
	}
	field = static_cast<uint32_t>(number_of_field);
	switch (wire_type) {
	case VARINT:
		number = ReadVarint();
		break;
	case FIXED_64:
		Take(sizeof(uint64_t));
		break;
	case LENGTH_DELIMITED:
		Take(ReadVarint());
		break;
	case FIXED_32:
		Take(sizeof(uint32_t));
		break;
	default:
		Fail("has a field of a kind that there is not");
	}
	return true;
}

bool ProtobufReader::IsBytes() const {
	return wire_type == LENGTH_DELIMITED;
}

uint64_t ProtobufReader::Number() {
	if (wire_type != VARINT) {
		Fail("has something else where a number belongs");
	}
	return number;
}

std::string_view ProtobufReader::Bytes() {
	if (wire_type != LENGTH_DELIMITED) {
		Fail("has something else where bytes belong");
	}
	return content;
}

std::string ProtobufReader::Text() {
	auto text = Bytes();
	if (!duckdb::Value::StringIsValid(text.data(), text.size())) {
		Fail("has text that is no UTF-8");
	}
	return std::string(text);
}

void ProtobufWriter::Varint(uint64_t value) {
	while (value >= 0x80) {
		bytes.push_back(static_cast<char>(0x80 | (value & 0x7f)));
		value >>= 7;
	}
	bytes.push_back(static_cast<char>(value));
}

void ProtobufWriter::Number(uint32_t field, uint64_t value) {
	Varint(static_cast<uint64_t>(field) << WIRE_TYPE_BITS | VARINT);
	Varint(value);
}

void ProtobufWriter::Bytes(uint32_t field, std::string_view value) {
	Varint(static_cast<uint64_t>(field) << WIRE_TYPE_BITS | LENGTH_DELIMITED);
	Varint(value.size());
	bytes.append(value);
}

} // namespace duckherder
