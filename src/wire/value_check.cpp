#include "wire/value_check.hpp"

#include "compat/vectors.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/common/types/datetime.hpp"
#include "duckdb/common/types/interval.hpp"
#include "duckdb/common/types/vector.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! The first byte of a BIT says how many bits of the second do not count
constexpr idx_t BIT_BYTES_MIN = 2;
constexpr uint8_t BIT_PADDING_MAX = 7;
//! A BIGNUM begins with its sign and length, in three bytes
constexpr idx_t BIGNUM_BYTES_MIN = 4;

template <class T, class F>
void CheckEach(Vector &vector, idx_t count, F valid) {
	auto data = FlatVector::GetDataMutable<T>(vector);
	auto &mask = FlatVector::Validity(vector);
	auto all = true;
	if (mask.AllValid()) {
		for (idx_t i = 0; i < count; i++) {
			all &= valid(data[i]);
		}
	} else {
		for (idx_t i = 0; i < count; i++) {
			all &= !mask.RowIsValid(i) || valid(data[i]);
		}
	}
	if (!all) {
		throw IOException("received a value that %s does not have", vector.GetType().ToString());
	}
}

template <class T>
void CheckBelow(Vector &vector, idx_t count, uint64_t end) {
	CheckEach<T>(vector, count, [&](T value) { return value < end; });
}

void CheckEnum(Vector &vector, idx_t count) {
	auto size = EnumType::GetSize(vector.GetType());
	switch (vector.GetType().InternalType()) {
	case PhysicalType::UINT8:
		return CheckBelow<uint8_t>(vector, count, size);
	case PhysicalType::UINT16:
		return CheckBelow<uint16_t>(vector, count, size);
	default:
		return CheckBelow<uint32_t>(vector, count, size);
	}
}

//! The tag of a UNION that is not NULL has to be one of its members
void CheckUnion(Vector &vector, idx_t count) {
	auto members = UnionType::GetMemberCount(vector.GetType());
	auto &tag = ChildOf(StructVector::GetEntries(vector)[0]);
	CheckBelow<uint8_t>(tag, count, members);
}

bool IsTimeOfDay(int64_t micros) {
	// 24:00 is one
	return micros >= 0 && micros <= Interval::MICROS_PER_DAY;
}

} // namespace

void CheckValues(Vector &vector, idx_t count) {
	switch (vector.GetType().id()) {
	case LogicalTypeId::BOOLEAN:
		// read as numbers: to read another value as bool is what must not happen
		return CheckBelow<uint8_t>(vector, count, 2);
	case LogicalTypeId::ENUM:
		return CheckEnum(vector, count);
	case LogicalTypeId::UNION:
		return CheckUnion(vector, count);
	case LogicalTypeId::TIME:
		return CheckEach<int64_t>(vector, count, IsTimeOfDay);
	case LogicalTypeId::TIME_NS:
		return CheckEach<int64_t>(vector, count,
		                          [](int64_t nanos) { return nanos >= 0 && nanos <= Interval::NANOS_PER_DAY; });
	case LogicalTypeId::TIME_TZ:
		return CheckEach<dtime_tz_t>(vector, count, [](dtime_tz_t time) {
			return IsTimeOfDay(MicrosOf(time.time())) && time.offset() >= dtime_tz_t::MIN_OFFSET &&
			       time.offset() <= dtime_tz_t::MAX_OFFSET;
		});
	case LogicalTypeId::BIT:
		return CheckEach<string_t>(vector, count, [](const string_t &bits) {
			return bits.GetSize() >= BIT_BYTES_MIN && static_cast<uint8_t>(bits.GetData()[0]) <= BIT_PADDING_MAX;
		});
	case LogicalTypeId::BIGNUM:
		return CheckEach<string_t>(vector, count,
		                           [](const string_t &digits) { return digits.GetSize() >= BIGNUM_BYTES_MIN; });
	default:
		break;
	}
}

} // namespace duckherder
