#include "engine/key_set.hpp"

#include "compat/vectors.hpp"
#include "wire/checked_deserializer.hpp"

#include "duckdb/common/serializer/binary_serializer.hpp"
#include "duckdb/common/serializer/memory_stream.hpp"
#include "duckdb/common/value_operations/value_operations.hpp"
#include "duckdb/common/vector_operations/vector_operations.hpp"

#include <algorithm>
#include <bit>

namespace duckherder {

using namespace duckdb;

namespace {

//! Up to so many values are listed: scans compare their statistics with each
constexpr idx_t VALUES_MAX = 64;
//! Up to so many hashes are kept as they are; 8 bytes each
constexpr idx_t HASHES_MAX = 2048;
//! Bits per value in the Bloom filter: one look-up in about 200 lies
constexpr uint64_t BITS_PER_KEY = 16;
//! Of which so many are set, if they do not fall together
constexpr uint64_t BITS_SET_PER_KEY = 4;
//! A block of bits that is sent with its number
constexpr idx_t NUMBERED_BLOCK_BYTES = sizeof(uint32_t) + sizeof(uint64_t);
//! With more of its bits set than this, one look-up in eight or more lies
constexpr double FULL_FROM = 0.6;

constexpr field_id_t KIND_FIELD = 1;
constexpr uint8_t KIND = 0x4B;

template <class T>
bool Range(UnifiedVectorFormat &format, idx_t count, T &low, T &high) {
	auto data = UnifiedVectorFormat::GetData<T>(format);
	bool any = false;
	for (idx_t i = 0; i < count; i++) {
		auto index = format.sel->get_index(i);
		if (!format.validity.RowIsValid(index)) {
			continue;
		}
		if (!any || data[index] < low) {
			low = data[index];
		}
		if (!any || high < data[index]) {
			high = data[index];
		}
		any = true;
	}
	return any;
}

template <class T>
bool RangeAsValues(const LogicalType &type, UnifiedVectorFormat &format, idx_t count, Value &low, Value &high) {
	T bounds[2] = {};
	if (!Range<T>(format, count, bounds[0], bounds[1])) {
		return false;
	}
	Vector typed(type, idx_t(2));
	auto data = FlatVector::GetDataMutable<T>(typed);
	data[0] = bounds[0];
	data[1] = bounds[1];
	FlatVector::SetSize(typed, 2);
	low = typed.GetValue(0);
	high = typed.GetValue(1);
	return true;
}

bool RangeOf(const LogicalType &type, UnifiedVectorFormat &format, idx_t count, Value &low, Value &high) {
	switch (type.InternalType()) {
	case PhysicalType::INT8:
		return RangeAsValues<int8_t>(type, format, count, low, high);
	case PhysicalType::INT16:
		return RangeAsValues<int16_t>(type, format, count, low, high);
	case PhysicalType::INT32:
		return RangeAsValues<int32_t>(type, format, count, low, high);
	case PhysicalType::INT64:
		return RangeAsValues<int64_t>(type, format, count, low, high);
	case PhysicalType::INT128:
		return RangeAsValues<hugeint_t>(type, format, count, low, high);
	case PhysicalType::UINT8:
		return RangeAsValues<uint8_t>(type, format, count, low, high);
	case PhysicalType::UINT16:
		return RangeAsValues<uint16_t>(type, format, count, low, high);
	case PhysicalType::UINT32:
		return RangeAsValues<uint32_t>(type, format, count, low, high);
	case PhysicalType::UINT64:
		return RangeAsValues<uint64_t>(type, format, count, low, high);
	case PhysicalType::UINT128:
		return RangeAsValues<uhugeint_t>(type, format, count, low, high);
	default:
		return false;
	}
}

} // namespace

bool KeySet::Supports(const LogicalType &type) {
	if (type.IsNested() || type.id() == LogicalTypeId::ENUM) {
		return false;
	}
	if (type.id() == LogicalTypeId::VARCHAR) {
		return StringType::GetCollation(type).empty();
	}
	switch (type.InternalType()) {
	case PhysicalType::INT8:
	case PhysicalType::INT16:
	case PhysicalType::INT32:
	case PhysicalType::INT64:
	case PhysicalType::INT128:
	case PhysicalType::UINT8:
	case PhysicalType::UINT16:
	case PhysicalType::UINT32:
	case PhysicalType::UINT64:
	case PhysicalType::UINT128:
		return true;
	default:
		// floats are equal that differ in their bytes, and nobody joins by them
		return false;
	}
}

uint8_t KeySet::Log2BitsFor(uint64_t keys) {
	auto most = 1ULL << LOG2_BITS_MAX;
	auto wanted = keys > most / BITS_PER_KEY ? most : keys * BITS_PER_KEY;
	auto log2 = static_cast<uint8_t>(std::bit_width(wanted));
	return std::clamp(log2, LOG2_BITS_MIN, LOG2_BITS_MAX);
}

KeySet::KeySet(LogicalType type_p, uint8_t log2_bits_p) : type(std::move(type_p)), log2_bits(log2_bits_p) {
	if (!Supports(type)) {
		throw InvalidInputException("Keys of type %s cannot be collected", type.ToString());
	}
	if (log2_bits < LOG2_BITS_MIN || log2_bits > LOG2_BITS_MAX) {
		throw InvalidInputException("A key set of 2^%d bits", log2_bits);
	}
}

void KeySet::Widen(const Value &low, const Value &high) {
	if (smallest.IsNull() || ValueOperations::LessThan(low, smallest)) {
		smallest = low;
	}
	if (largest.IsNull() || ValueOperations::GreaterThan(high, largest)) {
		largest = high;
	}
}

void KeySet::UseBits() {
	if (!bits.empty()) {
		return;
	}
	bits.resize((1ULL << log2_bits) / 64, 0);
	for (auto hash : hashes) {
		bits[BlockOf(hash)] |= MaskOf(hash);
	}
	hashes.clear();
	AddBlocks(blocks);
	blocks.clear();
}

void KeySet::AddBlocks(const std::vector<std::pair<uint32_t, uint64_t>> &more) {
	for (auto &block : more) {
		bits[block.first] |= block.second;
	}
}

void KeySet::AddHash(hash_t hash) {
	if (UsesHashes()) {
		hashes.insert(hash);
		if (hashes.size() > HASHES_MAX) {
			UseBits();
		}
		return;
	}
	if (bits.empty()) {
		UseBits();
	}
	bits[BlockOf(hash)] |= MaskOf(hash);
}

void KeySet::Add(Vector &keys, idx_t count) {
	UnifiedVectorFormat format;
	keys.ToUnifiedFormat(count, format);
	Value low;
	Value high;
	if (RangeOf(type, format, count, low, high)) {
		Widen(low, high);
	}
	Vector hash_vector(LogicalType::HASH, count);
	VectorOperations::Hash(keys, hash_vector, count);
	FlattenRows(hash_vector, count);
	auto hash_data = FlatVector::GetDataMutable<hash_t>(hash_vector);
	for (idx_t i = 0; i < count; i++) {
		if (!format.validity.RowIsValid(format.sel->get_index(i))) {
			continue;
		}
		empty = false;
		if (values_complete && hashes.count(hash_data[i]) == 0) {
			values.push_back(keys.GetValue(i));
			values_complete = values.size() <= VALUES_MAX;
		}
		AddHash(hash_data[i]);
	}
	if (!values_complete) {
		values.clear();
	}
}

void KeySet::Merge(const KeySet &other) {
	if (type != other.type || log2_bits != other.log2_bits) {
		throw InternalException("Key sets of %s and %s do not fit together", type.ToString(), other.type.ToString());
	}
	if (other.empty) {
		return;
	}
	empty = false;
	if (!other.smallest.IsNull()) {
		Widen(other.smallest, other.largest);
	}
	values_complete = values_complete && other.values_complete;
	for (idx_t i = 0; values_complete && i < other.values.size(); i++) {
		if (hashes.count(other.values[i].Hash()) == 0) {
			values.push_back(other.values[i]);
			values_complete = values.size() <= VALUES_MAX;
		}
	}
	if (!values_complete) {
		values.clear();
	}
	for (auto hash : other.hashes) {
		AddHash(hash);
	}
	if (!other.bits.empty()) {
		UseBits();
		for (idx_t i = 0; i < bits.size(); i++) {
			bits[i] |= other.bits[i];
		}
	}
	if (!other.blocks.empty()) {
		UseBits();
		AddBlocks(other.blocks);
	}
}

KeySet KeySet::Fitted() const {
	auto result = *this;
	if (UsesHashes()) {
		result.log2_bits = Log2BitsFor(hashes.size());
		return result;
	}
	result.UseBits();
	auto &fitted = result.bits;
	// the number of a block is the upper bits of a product: without the last one of them two neighbours are one block
	for (auto wanted = Log2BitsFor(result.BitsSet() / BITS_SET_PER_KEY); result.log2_bits > wanted;
	     result.log2_bits--) {
		for (idx_t i = 0; i < fitted.size() / 2; i++) {
			fitted[i] = fitted[2 * i] | fitted[2 * i + 1];
		}
		fitted.resize(fitted.size() / 2);
	}
	return result;
}

vector<Value> KeySet::Values() const {
	return values_complete ? values : vector<Value>();
}

uint64_t KeySet::BitsSet() const {
	uint64_t result = 0;
	for (auto block : bits) {
		result += static_cast<uint64_t>(std::popcount(block));
	}
	return result;
}

bool KeySet::Saturated() const {
	return static_cast<double>(BitsSet()) > FULL_FROM * static_cast<double>(bits.size() * 64) && !bits.empty();
}

std::vector<std::pair<uint32_t, uint64_t>> KeySet::FewBlocks() const {
	auto result = blocks;
	auto used = bits.size() - static_cast<idx_t>(std::count(bits.begin(), bits.end(), 0ULL));
	if (used * NUMBERED_BLOCK_BYTES >= bits.size() * sizeof(uint64_t)) {
		return result;
	}
	result.reserve(used);
	for (idx_t i = 0; i < bits.size(); i++) {
		if (bits[i] != 0) {
			result.emplace_back(static_cast<uint32_t>(i), bits[i]);
		}
	}
	return result;
}

std::string KeySet::Encode() const {
	MemoryStream stream;
	BinarySerializer serializer(stream);
	serializer.Begin();
	serializer.WriteProperty(KIND_FIELD, "kind", KIND);
	serializer.WriteProperty(10, "type", type);
	serializer.WriteProperty(11, "log2_bits", log2_bits);
	serializer.WriteProperty(12, "empty", empty);
	serializer.WriteProperty(13, "smallest", smallest);
	serializer.WriteProperty(14, "largest", largest);
	serializer.WriteProperty(15, "values_complete", values_complete);
	serializer.WriteProperty(16, "values", values);
	string list;
	for (auto hash : hashes) {
		list.append(const_char_ptr_cast(&hash), sizeof(hash));
	}
	serializer.WriteProperty(17, "hashes", list);
	string numbered;
	for (auto &block : FewBlocks()) {
		numbered.append(const_char_ptr_cast(&block.first), sizeof(block.first));
		numbered.append(const_char_ptr_cast(&block.second), sizeof(block.second));
	}
	auto dense_bytes = numbered.empty() ? bits.size() * sizeof(uint64_t) : 0;
	serializer.WriteProperty(18, "bits", string(const_char_ptr_cast(bits.data()), dense_bytes));
	serializer.WriteProperty(19, "blocks", numbered);
	serializer.End();
	return std::string(const_char_ptr_cast(stream.GetData()), stream.GetPosition());
}

KeySet KeySet::Decode(const std::string &bytes) {
	try {
		return DecodeUnnamed(bytes);
	} catch (const std::exception &error) {
		// DuckDB's own reading of types and values fails in many ways
		throw SerializationException("these %llu bytes are no key set: %s", idx_t(bytes.size()),
		                             ErrorData(error).RawMessage());
	}
}

KeySet KeySet::DecodeUnnamed(const std::string &bytes) {
	CheckedDeserializer deserializer(bytes, CheckedDeserializer::Types::COLUMNS);
	deserializer.Begin();
	if (deserializer.ReadProperty<uint8_t>(KIND_FIELD, "kind") != KIND) {
		throw SerializationException("they are of another kind");
	}
	auto type = deserializer.ReadProperty<LogicalType>(10, "type");
	auto log2_bits = deserializer.ReadProperty<uint8_t>(11, "log2_bits");
	if (!Supports(type) || log2_bits < LOG2_BITS_MIN || log2_bits > LOG2_BITS_MAX) {
		throw SerializationException("A key set of type %s with 2^%d bits", type.ToString(), log2_bits);
	}
	KeySet result(type, log2_bits);
	deserializer.ReadProperty(12, "empty", result.empty);
	deserializer.ReadProperty(13, "smallest", result.smallest);
	deserializer.ReadProperty(14, "largest", result.largest);
	deserializer.ReadProperty(15, "values_complete", result.values_complete);
	deserializer.ReadProperty(16, "values", result.values);
	auto hashes = deserializer.ReadProperty<string>(17, "hashes");
	auto bits = deserializer.ReadProperty<string>(18, "bits");
	auto numbered = deserializer.ReadProperty<string>(19, "blocks");
	deserializer.End();
	auto same_type = [&](const Value &value) { return value.IsNull() || value.type() == type; };
	auto all_of_type = same_type(result.smallest) && same_type(result.largest) &&
	                   std::all_of(result.values.begin(), result.values.end(), same_type);
	if (!all_of_type || result.smallest.IsNull() != result.largest.IsNull() || result.values.size() > VALUES_MAX) {
		throw SerializationException("A key set with values that are not its own");
	}
	if (hashes.size() % sizeof(hash_t) != 0 || hashes.size() / sizeof(hash_t) > HASHES_MAX ||
	    (!bits.empty() && (bits.size() != (1ULL << log2_bits) / 8 || !hashes.empty()))) {
		throw SerializationException("A key set with %llu bytes of hashes and %llu of bits", idx_t(hashes.size()),
		                             idx_t(bits.size()));
	}
	for (idx_t i = 0; i < hashes.size(); i += sizeof(hash_t)) {
		result.hashes.insert(Load<hash_t>(const_data_ptr_cast(hashes.data() + i)));
	}
	result.bits.resize(bits.size() / sizeof(uint64_t));
	std::copy_n(bits.data(), bits.size(), data_ptr_cast(result.bits.data()));
	if (numbered.size() % NUMBERED_BLOCK_BYTES != 0 || (!numbered.empty() && !(bits.empty() && hashes.empty()))) {
		throw SerializationException("A key set with %llu bytes of blocks", idx_t(numbered.size()));
	}
	for (idx_t i = 0; i < numbered.size(); i += NUMBERED_BLOCK_BYTES) {
		auto number = Load<uint32_t>(const_data_ptr_cast(numbered.data() + i));
		if (number >= (1ULL << log2_bits) / 64) {
			throw SerializationException("A key set of 2^%d bits with a block %d", log2_bits, number);
		}
		result.blocks.emplace_back(number, Load<uint64_t>(const_data_ptr_cast(numbered.data() + i + sizeof(number))));
	}
	return result;
}

} // namespace duckherder
