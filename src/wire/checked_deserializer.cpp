#include "wire/checked_deserializer.hpp"

#include "compat/types.hpp"
#include "wire/column_types.hpp"
#include "common/limits.hpp"

#include "duckdb/common/serializer/encoding_util.hpp"

#include <cstring>

namespace duckherder {

using namespace duckdb;

namespace {

//! LEB128 needs this for 64 bits
constexpr idx_t VARINT_BYTES_MAX = 10;
constexpr const char *TYPE_INFO_TAG = "type_info";
//! Says of which aggregate a type is the exported state, with the types that this takes: any, for one
constexpr const char *STATE_INFO_TAG = "extension_info";
constexpr field_id_t BOUND_FUNCTION_FIELD = 500;

//! What the parameters of a type may be. INVALID: it has none of its own, only an alias or the like.
LogicalTypeInfoType InfoOf(LogicalTypeId id) {
	switch (id) {
	case LogicalTypeId::DECIMAL:
		return LogicalTypeInfoType::DECIMAL_TYPE_INFO;
	case LogicalTypeId::LIST:
	case LogicalTypeId::MAP:
		return LogicalTypeInfoType::LIST_TYPE_INFO;
	case LogicalTypeId::STRUCT:
	case LogicalTypeId::UNION:
	case LogicalTypeId::VARIANT:
		return LogicalTypeInfoType::STRUCT_TYPE_INFO;
	case LogicalTypeId::ENUM:
		return LogicalTypeInfoType::ENUM_TYPE_INFO;
	case LogicalTypeId::ARRAY:
		return LogicalTypeInfoType::ARRAY_TYPE_INFO;
	case AGGREGATE_STATE_ID:
		return AGGREGATE_STATE_INFO;
	case LogicalTypeId::VARCHAR:
	case LogicalTypeId::CHAR:
		return LogicalTypeInfoType::STRING_TYPE_INFO;
	case LogicalTypeId::GEOMETRY:
		return LogicalTypeInfoType::GEO_TYPE_INFO;
	case LogicalTypeId::ANY:
		return LogicalTypeInfoType::ANY_TYPE_INFO;
	case LogicalTypeId::INTEGER_LITERAL:
		return LogicalTypeInfoType::INTEGER_LITERAL_TYPE_INFO;
	case LogicalTypeId::TEMPLATE:
		return LogicalTypeInfoType::TEMPLATE_TYPE_INFO;
	case LogicalTypeId::UNBOUND:
		return LogicalTypeInfoType::UNBOUND_TYPE_INFO;
	default:
		return IsTuple(id) ? LogicalTypeInfoType::STRUCT_TYPE_INFO : LogicalTypeInfoType::INVALID_TYPE_INFO;
	}
}

//! Whether DuckDB reads the parameters of such a type without looking whether it has any
bool NeedsInfo(LogicalTypeId id) {
	return InfoOf(id) != LogicalTypeInfoType::INVALID_TYPE_INFO && id != LogicalTypeId::VARCHAR &&
	       id != LogicalTypeId::CHAR && id != LogicalTypeId::GEOMETRY;
}

} // namespace

CheckedDeserializer::CheckedDeserializer(const std::string &bytes_p, Types types_p) : bytes(bytes_p), types(types_p) {
	deserialize_enum_from_string = false;
}

void CheckedDeserializer::End() {
	OnObjectEnd();
	if (Remaining() > 0) {
		throw SerializationException("%llu bytes follow it", Remaining());
	}
}

bool CheckedDeserializer::TagIs(const char *name) {
	auto result = tag && std::strcmp(tag, name) == 0;
	tag = nullptr;
	return result;
}

void CheckedDeserializer::ReadData(void *target, idx_t size) {
	if (size > Remaining()) {
		throw SerializationException("%llu bytes are missing at its end", size - Remaining());
	}
	std::memcpy(target, bytes.data() + position, size);
	position += size;
}

template <class T>
T CheckedDeserializer::ReadPlain() {
	T value;
	ReadData(&value, sizeof(T));
	return value;
}

template <class T>
T CheckedDeserializer::ReadVarInt() {
	uint8_t buffer[VARINT_BYTES_MAX] = {};
	for (auto &byte : buffer) {
		ReadData(&byte, 1);
		if (!(byte & 0x80)) {
			T value;
			EncodingUtil::DecodeLEB128<T>(buffer, value);
			return value;
		}
	}
	throw SerializationException("a number of more than %llu bytes", VARINT_BYTES_MAX);
}

field_id_t CheckedDeserializer::PeekField() {
	if (!has_buffered_field) {
		buffered_field = ReadPlain<field_id_t>();
		has_buffered_field = true;
	}
	return buffered_field;
}

field_id_t CheckedDeserializer::NextField() {
	auto result = PeekField();
	has_buffered_field = false;
	return result;
}

bool CheckedDeserializer::CanDeserializeProperty(const field_id_t field_id, const char *) {
	return PeekField() == field_id;
}

void CheckedDeserializer::OnPropertyBegin(const field_id_t field_id, const char *tag_p) {
	auto field = NextField();
	if (field != field_id) {
		throw SerializationException("field %d stands where %d (%s) was expected", field, field_id, tag_p);
	}
	BeginProperty(field_id, tag_p);
}

void CheckedDeserializer::BeginProperty(const field_id_t field_id, const char *tag_p) {
	tag = tag_p;
	text = Text::ANY;
	// as FunctionSerializer and the parser's expressions write them
	if (field_id == BOUND_FUNCTION_FIELD && std::strcmp(tag_p, "name") == 0) {
		text = Text::BOUND_FUNCTION;
	} else if (std::strcmp(tag_p, "function_name") == 0) {
		text = Text::PARSED_FUNCTION;
	}
}

bool CheckedDeserializer::OnOptionalPropertyBegin(const field_id_t field_id, const char *tag_p) {
	auto present = PeekField() == field_id;
	if (present) {
		NextField();
		BeginProperty(field_id, tag_p);
	} else if (std::strcmp(tag_p, TYPE_INFO_TAG) == 0) {
		CheckNeedsNoInfo();
	}
	return present;
}

bool CheckedDeserializer::OnNullableBegin() {
	auto present = ReadPlain<uint8_t>() != 0;
	if (!present && TagIs(TYPE_INFO_TAG)) {
		CheckNeedsNoInfo();
	}
	return present;
}

void CheckedDeserializer::CheckNeedsNoInfo() const {
	// functions in plans take any LIST, DECIMAL or the like: their arguments' types have no parameters
	if (types != Types::ALL && NeedsInfo(objects.back().id)) {
		throw SerializationException("a type %d without its parameters", static_cast<int>(objects.back().id));
	}
}

void CheckedDeserializer::OnObjectBegin() {
	if (objects.size() >= limits::NESTED_OBJECTS_MAX) {
		throw SerializationException("more than %llu objects in each other", limits::NESTED_OBJECTS_MAX);
	}
	Object object;
	auto name = tag;
	tag = nullptr;
	if (name && std::strcmp(name, TYPE_INFO_TAG) == 0) {
		object.is_type_info = true;
		object.owner = objects.back().id;
	}
	object.describes_state = EXPORTED_STATES_TRAVEL && ((name && std::strcmp(name, STATE_INFO_TAG) == 0) ||
	                                                    (!objects.empty() && objects.back().describes_state));
	objects.push_back(object);
}

void CheckedDeserializer::OnObjectEnd() {
	auto field = NextField();
	if (field != MESSAGE_TERMINATOR_FIELD_ID) {
		throw SerializationException("field %d stands where an object should end", field);
	}
	objects.pop_back();
}

idx_t CheckedDeserializer::OnListBegin() {
	auto values_of_enum = TagIs("values") && objects.back().is_type_info;
	auto count = ReadVarInt<idx_t>();
	// no element takes less than a byte
	if (count > Remaining()) {
		throw SerializationException("a list of %llu elements in %llu bytes", count, Remaining());
	}
	if (values_of_enum && count != objects.back().enum_values) {
		throw SerializationException("%llu values of an ENUM that has %llu", count, objects.back().enum_values);
	}
	return count;
}

bool CheckedDeserializer::ReadBool() {
	tag = nullptr;
	return ReadPlain<uint8_t>() != 0;
}

char CheckedDeserializer::ReadChar() {
	return ReadPlain<char>();
}

int8_t CheckedDeserializer::ReadSignedInt8() {
	return ReadVarInt<int8_t>();
}

uint8_t CheckedDeserializer::ReadUnsignedInt8() {
	auto value = ReadVarInt<uint8_t>();
	if (!tag) {
		return value;
	}
	auto &object = objects.back();
	if (std::strcmp(tag, "id") == 0) {
		object.id = static_cast<LogicalTypeId>(value);
		if (types == Types::COLUMNS && OnlyInPlans(object.id) && !object.describes_state) {
			throw SerializationException("a type %d, which no column has", value);
		}
	} else if (object.is_type_info && std::strcmp(tag, "type") == 0) {
		auto info = static_cast<LogicalTypeInfoType>(value);
		if (info != InfoOf(object.owner) &&
		    (info != LogicalTypeInfoType::GENERIC_TYPE_INFO || NeedsInfo(object.owner))) {
			throw SerializationException("a type %d with parameters of kind %d", static_cast<int>(object.owner), value);
		}
	}
	tag = nullptr;
	return value;
}

int16_t CheckedDeserializer::ReadSignedInt16() {
	return ReadVarInt<int16_t>();
}

uint16_t CheckedDeserializer::ReadUnsignedInt16() {
	return ReadVarInt<uint16_t>();
}

int32_t CheckedDeserializer::ReadSignedInt32() {
	return ReadVarInt<int32_t>();
}

uint32_t CheckedDeserializer::ReadUnsignedInt32() {
	return ReadVarInt<uint32_t>();
}

int64_t CheckedDeserializer::ReadSignedInt64() {
	return ReadVarInt<int64_t>();
}

uint64_t CheckedDeserializer::ReadUnsignedInt64() {
	auto value = ReadVarInt<uint64_t>();
	if (TagIs("values_count")) {
		if (value > Remaining()) {
			throw SerializationException("an ENUM of %llu values in %llu bytes", value, Remaining());
		}
		objects.back().enum_values = value;
	}
	return value;
}

float CheckedDeserializer::ReadFloat() {
	return ReadPlain<float>();
}

double CheckedDeserializer::ReadDouble() {
	return ReadPlain<double>();
}

string CheckedDeserializer::ReadString() {
	auto length = ReadVarInt<uint32_t>();
	if (length > Remaining()) {
		throw SerializationException("a text of %d bytes, of which %llu are there", length, Remaining());
	}
	string result(bytes.data() + position, length);
	position += length;
	if (text != Text::ANY && function_check) {
		function_check(result, text == Text::BOUND_FUNCTION);
	}
	text = Text::ANY;
	return result;
}

hugeint_t CheckedDeserializer::ReadHugeInt() {
	auto upper = ReadVarInt<int64_t>();
	auto lower = ReadVarInt<uint64_t>();
	return hugeint_t(upper, lower);
}

uhugeint_t CheckedDeserializer::ReadUhugeInt() {
	auto upper = ReadVarInt<uint64_t>();
	auto lower = ReadVarInt<uint64_t>();
	return uhugeint_t(upper, lower);
}

void CheckedDeserializer::ReadDataPtr(data_ptr_t &target, idx_t count) {
	auto length = ReadVarInt<uint64_t>();
	if (length != count) {
		throw SerializationException("a block of %llu bytes stands where %llu were expected", length, count);
	}
	ReadData(target, count);
}

void CheckColumnType(const LogicalType &type) {
	auto refuse = [&](const char *reason) {
		// Not by its name: in functions that end with an error gcc does not widen an enum that it passes, which clang,
		// that 2.0's package is compiled by, relies on.
		throw SerializationException("a type %d %s", static_cast<int>(type.id()), reason);
	};
	if (OnlyInPlans(type.id()) || type.InternalType() == PhysicalType::INVALID) {
		refuse("is none that a column can have");
	}
	switch (type.id()) {
	case LogicalTypeId::DECIMAL:
		if (DecimalType::GetScale(type) > DecimalType::GetWidth(type) || DecimalType::GetWidth(type) == 0) {
			refuse("has more digits behind its point than it has");
		}
		break;
	case LogicalTypeId::ARRAY:
		if (ArrayType::GetSize(type) == 0 || ArrayType::GetSize(type) > ArrayType::MAX_ARRAY_SIZE) {
			refuse("has a size that is none");
		}
		CheckColumnType(ArrayType::GetChildType(type));
		break;
	case LogicalTypeId::MAP: {
		auto &entry = ListType::GetChildType(type);
		if (entry.id() != LogicalTypeId::STRUCT || StructType::GetChildCount(entry) != 2) {
			refuse("has entries that are no pairs");
		}
		CheckColumnType(entry);
		break;
	}
	case LogicalTypeId::LIST:
		CheckColumnType(ListType::GetChildType(type));
		break;
	case LogicalTypeId::UNION:
		if (StructType::GetChildCount(type) < 2 || StructType::GetChildCount(type) > UnionType::MAX_UNION_MEMBERS + 1 ||
		    StructType::GetChildType(type, 0).id() != LogicalTypeId::UTINYINT) {
			refuse("has no tag");
		}
		[[fallthrough]];
	case LogicalTypeId::STRUCT:
		if (StructType::GetChildCount(type) == 0 && !HAS_EMPTY_STRUCTS) {
			refuse("has no fields");
		}
		for (auto &child : StructType::GetChildTypes(type)) {
			CheckColumnType(child.second);
		}
		break;
	case LogicalTypeId::VARIANT:
		if (StructType::GetChildTypes(type) != StructType::GetChildTypes(LogicalType::VARIANT())) {
			refuse("has other fields than a VARIANT");
		}
		break;
	default:
		if (IsTuple(type.id())) {
			for (auto &child : StructType::GetChildTypes(type)) {
				CheckColumnType(child.second);
			}
		}
		break;
	}
}

} // namespace duckherder
