#include "wire/column_encoder.hpp"

#include "compat/vectors.hpp"

#include <arrow/array/data.h>
#include <arrow/status.h>

#include <algorithm>
#include <numeric>

namespace duckherder {

using duckdb::idx_t;
using duckdb::list_entry_t;
using duckdb::LogicalType;
using duckdb::PhysicalType;
using duckdb::string_t;
using duckdb::Vector;

namespace {

void Check(const arrow::Status &status) {
	if (!status.ok()) {
		throw duckdb::OutOfMemoryException("no memory for a batch: %s", status.ToString());
	}
}

std::shared_ptr<arrow::Buffer> Take(arrow::Result<std::shared_ptr<arrow::Buffer>> buffer) {
	Check(buffer.status());
	return buffer.MoveValueUnsafe();
}

//! Types of the children as the vector has them
duckdb::vector<LogicalType> ChildTypes(const LogicalType &type) {
	duckdb::vector<LogicalType> result;
	switch (type.InternalType()) {
	case PhysicalType::STRUCT:
		for (auto &child : duckdb::StructType::GetChildTypes(type)) {
			result.push_back(child.second);
		}
		break;
	case PhysicalType::LIST:
		result.push_back(duckdb::ListType::GetChildType(type));
		break;
	case PhysicalType::ARRAY:
		result.push_back(duckdb::ArrayType::GetChildType(type));
		break;
	default:
		break;
	}
	return result;
}

} // namespace

struct ColumnEncoder::Source {
	duckdb::UnifiedVectorFormat format;
	const RowSet &rows;
	//! The rows lie one after another in the vector's own memory, from `first` on
	bool contiguous;

	Source(Vector &vector, idx_t total, const RowSet &rows_p) : rows(rows_p) {
		vector.ToUnifiedFormat(total, format);
		contiguous = !rows.listed && !format.sel->IsSet();
	}

	bool AllValid() const {
		return !rows.listed && format.validity.AllValid();
	}
	//! The values if no row is NULL or listed, one after another; else null
	template <class T>
	const T *Dense() const {
		return contiguous && format.validity.AllValid() ? Data<T>() + rows.start : nullptr;
	}
	//! Index into the format's data, or MISSING if the row is NULL
	uint32_t Index(idx_t i) const {
		auto row = rows[i];
		if (row == RowSet::MISSING) {
			return RowSet::MISSING;
		}
		auto index = format.sel->get_index(row);
		return format.validity.RowIsValid(index) ? static_cast<uint32_t>(index) : RowSet::MISSING;
	}
	template <class T>
	const T *Data() const {
		return reinterpret_cast<const T *>(format.data);
	}

	//! Rows of the children, for nested types; a NULL struct or array has NULLs as children, as DuckDB expects it
	std::vector<uint32_t> ChildRows(PhysicalType type, idx_t array_size) const {
		std::vector<uint32_t> result;
		for (idx_t i = 0; i < rows.count; i++) {
			auto index = Index(i);
			if (type == PhysicalType::STRUCT) {
				// A dictionary or constant of structs has children that are themselves dictionaries or constants.
				result.push_back(index == RowSet::MISSING ? RowSet::MISSING : rows[i]);
			} else if (type == PhysicalType::LIST) {
				auto entry = index == RowSet::MISSING ? list_entry_t(0, 0) : Data<list_entry_t>()[index];
				for (idx_t child = 0; child < entry.length; child++) {
					result.push_back(static_cast<uint32_t>(entry.offset + child));
				}
			} else {
				for (idx_t child = 0; child < array_size; child++) {
					result.push_back(index == RowSet::MISSING ? RowSet::MISSING
					                                          : static_cast<uint32_t>(index * array_size + child));
				}
			}
		}
		return result;
	}
};

namespace {

//! Calls `child(number, vector, total, rows)` for each child of a nested vector with `total` rows
template <class F>
void ForEachChild(Vector &vector, idx_t total, const std::vector<uint32_t> &child_rows, F child) {
	RowSet rows;
	rows.count = child_rows.size();
	rows.listed = child_rows.data();
	switch (vector.GetType().InternalType()) {
	case PhysicalType::STRUCT: {
		auto &entries = duckdb::StructVector::GetEntries(vector);
		for (idx_t i = 0; i < entries.size(); i++) {
			child(i, ChildOf(entries[i]), total, rows);
		}
		break;
	}
	case PhysicalType::LIST:
		child(0, duckdb::ListVector::GetChildMutable(vector), duckdb::ListVector::GetListSize(vector), rows);
		break;
	default:
		child(0, duckdb::ArrayVector::GetChildMutable(vector), duckdb::ArrayVector::GetTotalSize(vector), rows);
		break;
	}
}

idx_t ArraySize(const LogicalType &type) {
	return type.InternalType() == PhysicalType::ARRAY ? duckdb::ArrayType::GetSize(type) : 0;
}

} // namespace

ColumnEncoder::ColumnEncoder(const LogicalType &type)
    : physical_type(type.InternalType()),
      width(duckdb::TypeIsConstantSize(physical_type) ? duckdb::GetTypeIdSize(physical_type) : 0) {
	for (auto &child : ChildTypes(type)) {
		children.push_back(std::make_unique<ColumnEncoder>(child));
	}
}

uint64_t ColumnEncoder::Measure(Vector &vector, idx_t total, const RowSet &rows) {
	auto type = vector.GetType().InternalType();
	if (duckdb::TypeIsConstantSize(type)) {
		return rows.count * duckdb::GetTypeIdSize(type);
	}
	uint64_t result = rows.count * sizeof(int64_t);
	Source source(vector, total, rows);
	if (type == PhysicalType::VARCHAR) {
		if (auto dense = source.Dense<string_t>()) {
			return std::accumulate(dense, dense + rows.count, result,
			                       [](uint64_t sum, const string_t &value) { return sum + value.GetSize(); });
		}
		for (idx_t i = 0; i < rows.count; i++) {
			auto index = source.Index(i);
			result += index == RowSet::MISSING ? 0 : source.Data<string_t>()[index].GetSize();
		}
		return result;
	}
	ForEachChild(vector, total, source.ChildRows(type, ArraySize(vector.GetType())),
	             [&](idx_t, Vector &child, idx_t child_total, const RowSet &child_rows) {
		             result += Measure(child, child_total, child_rows);
	             });
	return result;
}

void ColumnEncoder::Append(Vector &vector, idx_t total, const RowSet &rows) {
	Source source(vector, total, rows);
	AppendValidity(source);
	switch (physical_type) {
	case PhysicalType::VARCHAR:
		AppendStrings(source);
		break;
	case PhysicalType::LIST:
	case PhysicalType::STRUCT:
	case PhysicalType::ARRAY:
		if (physical_type == PhysicalType::LIST) {
			AppendList(source);
		}
		ForEachChild(vector, total, source.ChildRows(physical_type, ArraySize(vector.GetType())),
		             [&](idx_t i, Vector &child, idx_t child_total, const RowSet &child_rows) {
			             children[i]->Append(child, child_total, child_rows);
		             });
		break;
	default:
		AppendFixed(source);
		break;
	}
	length += static_cast<int64_t>(rows.count);
}

void ColumnEncoder::AppendValidity(const Source &source) {
	auto count = source.rows.count;
	Check(validity.Reserve(static_cast<int64_t>(count)));
	if (source.AllValid()) {
		validity.UnsafeAppend(static_cast<int64_t>(count), true);
		return;
	}
	for (idx_t i = 0; i < count; i++) {
		auto valid = source.Index(i) != RowSet::MISSING;
		validity.UnsafeAppend(valid);
		null_count += valid ? 0 : 1;
	}
}

namespace {

template <class T, class SOURCE>
void Gather(const SOURCE &source, uint8_t *target) {
	auto from = source.template Data<T>();
	auto to = reinterpret_cast<T *>(target);
	if (source.AllValid() && source.format.sel->IsSet()) {
		auto indexes = source.format.sel->data() + source.rows.start;
		for (idx_t i = 0; i < source.rows.count; i++) {
			to[i] = from[indexes[i]];
		}
		return;
	}
	for (idx_t i = 0; i < source.rows.count; i++) {
		auto index = source.Index(i);
		to[i] = index == RowSet::MISSING ? T() : from[index];
	}
}

} // namespace

void ColumnEncoder::ReserveData(int64_t bytes) {
	// A batch will be about as large as the one before it, so it need not be copied while it grows.
	auto expected = last_data_bytes + last_data_bytes / 8;
	Check(data.Reserve(data.length() == 0 ? std::max(bytes, expected) : bytes));
}

void ColumnEncoder::AppendFixed(const Source &source) {
	auto bytes = static_cast<int64_t>(source.rows.count * width);
	ReserveData(bytes);
	auto target = data.mutable_data() + data.length();
	if (source.contiguous && source.format.validity.AllValid()) {
		memcpy(target, source.format.data + source.rows.start * width, static_cast<size_t>(bytes));
	} else {
		switch (width) {
		case 1:
			Gather<uint8_t>(source, target);
			break;
		case 2:
			Gather<uint16_t>(source, target);
			break;
		case 4:
			Gather<uint32_t>(source, target);
			break;
		case 8:
			Gather<uint64_t>(source, target);
			break;
		default:
			Gather<duckdb::uhugeint_t>(source, target);
			break;
		}
	}
	data.UnsafeAdvance(bytes);
}

void ColumnEncoder::AppendOffset(int64_t value_length) {
	last_offset += value_length;
	offsets.UnsafeAppend(last_offset);
}

void ColumnEncoder::AppendStrings(const Source &source) {
	auto strings = source.Data<string_t>();
	auto count = source.rows.count;
	Check(offsets.Reserve(static_cast<int64_t>(count + 1)));
	if (offsets.length() == 0) {
		offsets.UnsafeAppend(0);
	}
	if (auto dense = source.Dense<string_t>()) {
		AppendDenseStrings(dense, count);
		return;
	}
	for (idx_t i = 0; i < count; i++) {
		auto index = source.Index(i);
		AppendOffset(index == RowSet::MISSING ? 0 : strings[index].GetSize());
	}
	ReserveData(last_offset - data.length());
	for (idx_t i = 0; i < count; i++) {
		auto index = source.Index(i);
		if (index != RowSet::MISSING) {
			data.UnsafeAppend(strings[index].GetData(), strings[index].GetSize());
		}
	}
}

void ColumnEncoder::AppendDenseStrings(const string_t *strings, idx_t count) {
	for (idx_t i = 0; i < count; i++) {
		AppendOffset(strings[i].GetSize());
	}
	auto bytes = last_offset - data.length();
	// a short string is copied with all the room that it has in its string_t, which costs less than to look how long it
	// is
	ReserveData(bytes + static_cast<int64_t>(string_t::INLINE_LENGTH));
	auto target = data.mutable_data() + data.length();
	for (idx_t i = 0; i < count; i++) {
		auto size = strings[i].GetSize();
		if (strings[i].IsInlined()) {
			memcpy(target, strings[i].GetData(), string_t::INLINE_LENGTH);
		} else {
			memcpy(target, strings[i].GetData(), size);
		}
		target += size;
	}
	data.UnsafeAdvance(bytes);
}

void ColumnEncoder::AppendList(const Source &source) {
	auto entries = source.Data<list_entry_t>();
	auto count = source.rows.count;
	Check(offsets.Reserve(static_cast<int64_t>(count + 1)));
	if (offsets.length() == 0) {
		offsets.UnsafeAppend(0);
	}
	for (idx_t i = 0; i < count; i++) {
		auto index = source.Index(i);
		AppendOffset(index == RowSet::MISSING ? 0 : static_cast<int64_t>(entries[index].length));
	}
}

std::shared_ptr<arrow::ArrayData> ColumnEncoder::Finish(const std::shared_ptr<arrow::DataType> &arrow_type) {
	std::vector<std::shared_ptr<arrow::Buffer>> buffers;
	auto valid_bits = Take(validity.Finish());
	buffers.push_back(null_count > 0 ? std::move(valid_bits) : nullptr);
	if (physical_type == PhysicalType::VARCHAR || physical_type == PhysicalType::LIST) {
		if (offsets.length() == 0) {
			Check(offsets.Append(0));
		}
		buffers.push_back(Take(offsets.Finish()));
	}
	if (children.empty() && physical_type != PhysicalType::STRUCT) {
		last_data_bytes = data.length();
		buffers.push_back(Take(data.Finish()));
	}
	std::vector<std::shared_ptr<arrow::ArrayData>> child_data;
	for (idx_t i = 0; i < children.size(); i++) {
		child_data.push_back(children[i]->Finish(arrow_type->field(static_cast<int>(i))->type()));
	}
	auto result = arrow::ArrayData::Make(arrow_type, length, std::move(buffers), std::move(child_data), null_count);
	length = 0;
	null_count = 0;
	last_offset = 0;
	return result;
}

} // namespace duckherder
