#include "wire/column_decoder.hpp"

#include "compat/vectors.hpp"
#include "wire/value_check.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/common/types/vector.hpp"

#include <arrow/array/data.h>
#include <arrow/util/bitmap_ops.h>

#include <limits>

namespace duckherder {

using duckdb::FlatVector;
using duckdb::idx_t;
using duckdb::ListVector;
using duckdb::PhysicalType;
using duckdb::string_t;
using duckdb::Vector;

namespace {

void DecodeValidity(const arrow::ArrayData &array, idx_t first, idx_t count, Vector &target) {
	auto &mask = FlatVector::ValidityMutable(target);
	if (!array.buffers[0] || array.GetNullCount() == 0) {
		mask.Reset(std::max<idx_t>(count, STANDARD_VECTOR_SIZE));
		return;
	}
	// both sides keep one bit per row, set for a value, lowest bit first
	mask.Initialize(std::max<idx_t>(count, STANDARD_VECTOR_SIZE));
	arrow::internal::CopyBitmap(array.buffers[0]->data(), static_cast<int64_t>(first), static_cast<int64_t>(count),
	                            reinterpret_cast<uint8_t *>(mask.GetData()), 0);
}

bool IsAligned(const uint8_t *values, idx_t width) {
	return reinterpret_cast<uintptr_t>(values) % std::min<idx_t>(width, sizeof(int64_t)) == 0;
}

//! Offsets wherever they lie in memory
class Offsets {
public:
	//! The array's own validation looks at its first and last offset only
	Offsets(const arrow::ArrayData &array, idx_t first, idx_t count, int64_t end)
	    : bytes(array.buffers[1]->data() + first * sizeof(int64_t)) {
		auto previous = (*this)[0];
		auto rising = previous >= 0;
		for (idx_t i = 1; i <= count; i++) {
			auto next = (*this)[i];
			rising &= previous <= next;
			previous = next;
		}
		if (!rising || previous > end) {
			throw duckdb::IOException("received a broken batch: its offsets lead out of it");
		}
	}

	int64_t operator[](idx_t i) const {
		return duckdb::Load<int64_t>(bytes + i * sizeof(int64_t));
	}

private:
	const uint8_t *bytes;
};

void DecodeStrings(const arrow::ArrayData &array, idx_t first, idx_t count, Vector &target) {
	auto end = array.buffers[2] ? array.buffers[2]->size() : 0;
	Offsets offsets(array, first, count, end);
	auto bytes = reinterpret_cast<const char *>(array.buffers[2] ? array.buffers[2]->data() : nullptr);
	auto strings = FlatVector::GetDataMutable<string_t>(target);
	auto &mask = FlatVector::ValidityMutable(target);
	if (offsets[count] - offsets[0] > std::numeric_limits<uint32_t>::max()) {
		// a batch of them has passed as one message, which is smaller
		throw duckdb::IOException("received a broken batch: its values are longer than a message");
	}
	for (idx_t i = 0; i < count; i++) {
		auto length = static_cast<uint32_t>(offsets[i + 1] - offsets[i]);
		strings[i] = length > 0 && mask.RowIsValid(i) ? string_t(bytes + offsets[i], length) : string_t();
	}
}

void DecodeList(const arrow::ArrayData &array, idx_t first, idx_t count, Vector &target) {
	auto &child = *array.child_data[0];
	Offsets offsets(array, first, count, child.length);
	auto child_first = static_cast<idx_t>(offsets[0]);
	auto child_count = static_cast<idx_t>(offsets[count] - offsets[0]);
	auto entries = FlatVector::GetDataMutable<duckdb::list_entry_t>(target);
	for (idx_t i = 0; i < count; i++) {
		entries[i].offset = static_cast<idx_t>(offsets[i]) - child_first;
		entries[i].length = static_cast<idx_t>(offsets[i + 1] - offsets[i]);
	}
	ListVector::Reserve(target, child_count);
	ListVector::SetListSize(target, child_count);
	DecodeColumn(child, child_first, child_count, ListVector::GetChildMutable(target));
}

} // namespace

void DecodeColumn(const arrow::ArrayData &array, idx_t row, idx_t count, Vector &target) {
	auto first = static_cast<idx_t>(array.offset) + row;
	auto &type = target.GetType();
	auto physical_type = type.InternalType();
	if (count == 0) {
		// the elements of empty lists: the array may have no buffers
		if (physical_type == PhysicalType::LIST) {
			ListVector::SetListSize(target, 0);
		}
		return;
	}
	DecodeValidity(array, first, count, target);
	switch (physical_type) {
	case PhysicalType::VARCHAR:
		DecodeStrings(array, first, count, target);
		break;
	case PhysicalType::LIST:
		DecodeList(array, first, count, target);
		break;
	case PhysicalType::STRUCT: {
		auto &entries = duckdb::StructVector::GetEntries(target);
		for (idx_t i = 0; i < entries.size(); i++) {
			DecodeColumn(*array.child_data[i], first, count, ChildOf(entries[i]));
		}
		break;
	}
	case PhysicalType::ARRAY: {
		auto size = duckdb::ArrayType::GetSize(type);
		DecodeColumn(*array.child_data[0], first * size, count * size, duckdb::ArrayVector::GetChildMutable(target));
		break;
	}
	default: {
		auto width = duckdb::GetTypeIdSize(physical_type);
		auto values = array.buffers[1]->data() + first * width;
		if (IsAligned(values, width)) {
			// DuckDB's vectors are not const, but those of a scan are only read
			FlatVector::SetData(target, const_cast<duckdb::data_ptr_t>(values), duckdb::count_t(count));
		} else {
			memcpy(FlatVector::GetDataMutable(target), values, count * width);
		}
		break;
	}
	}
	FlatVector::SetSize(target, count);
	CheckValues(target, count);
}

} // namespace duckherder
