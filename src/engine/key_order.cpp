#include "engine/key_order.hpp"

#include "duckdb/common/types/value.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! Moves the unsigned numbers onto the signed ones in their order, and back
uint64_t FlipSign(uint64_t bits) {
	return bits ^ (uint64_t(1) << 63U);
}

} // namespace

bool HasKeyOrder(const LogicalType &type) {
	switch (type.id()) {
	case LogicalTypeId::TINYINT:
	case LogicalTypeId::SMALLINT:
	case LogicalTypeId::INTEGER:
	case LogicalTypeId::BIGINT:
	case LogicalTypeId::UTINYINT:
	case LogicalTypeId::USMALLINT:
	case LogicalTypeId::UINTEGER:
	case LogicalTypeId::UBIGINT:
	case LogicalTypeId::DATE:
	case LogicalTypeId::TIMESTAMP:
	case LogicalTypeId::TIMESTAMP_TZ:
		return true;
	case LogicalTypeId::DECIMAL:
		return type.InternalType() != PhysicalType::INT128;
	default:
		return false;
	}
}

int64_t KeyOf(const Value &value) {
	switch (value.type().InternalType()) {
	case PhysicalType::INT8:
		return value.GetValueUnsafe<int8_t>();
	case PhysicalType::INT16:
		return value.GetValueUnsafe<int16_t>();
	case PhysicalType::INT32:
		return value.GetValueUnsafe<int32_t>();
	case PhysicalType::INT64:
		return value.GetValueUnsafe<int64_t>();
	case PhysicalType::UINT8:
		return value.GetValueUnsafe<uint8_t>();
	case PhysicalType::UINT16:
		return value.GetValueUnsafe<uint16_t>();
	case PhysicalType::UINT32:
		return value.GetValueUnsafe<uint32_t>();
	case PhysicalType::UINT64:
		return static_cast<int64_t>(FlipSign(value.GetValueUnsafe<uint64_t>()));
	default:
		throw InternalException("Values of type %s are no keys", value.type().ToString());
	}
}

Value KeyValue(const LogicalType &type, int64_t key) {
	if (type.id() == LogicalTypeId::UBIGINT) {
		return Value::UBIGINT(FlipSign(static_cast<uint64_t>(key)));
	}
	if (!HasKeyOrder(type)) {
		throw InternalException("Values of type %s are no keys", type.ToString());
	}
	return Value::Numeric(type, key);
}

vector<std::pair<ExpressionType, Value>> ComparisonsOf(const KeyRange &keys, const LogicalType &type) {
	vector<std::pair<ExpressionType, Value>> result;
	if (keys.first > NumericLimits<int64_t>::Minimum()) {
		result.emplace_back(ExpressionType::COMPARE_GREATERTHANOREQUALTO, KeyValue(type, keys.first));
	}
	if (keys.last < NumericLimits<int64_t>::Maximum()) {
		result.emplace_back(ExpressionType::COMPARE_LESSTHANOREQUALTO, KeyValue(type, keys.last));
	}
	return result;
}

} // namespace duckherder
