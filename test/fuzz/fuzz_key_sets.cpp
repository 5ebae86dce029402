#include "compat/names.hpp"
#include "fuzz/fuzz_target.hpp"

#include "engine/key_set.hpp"

namespace duckherder::fuzz {

namespace {

//! Everything that a driver and a worker do with one
void DecodeAndLookUp(const std::string &bytes) {
	auto keys = KeySet::Decode(bytes);
	auto again = KeySet::Decode(keys.Encode());
	Expect(again.Encode().size() == keys.Encode().size(), "a key set is another one after a round of encoding");
	auto merged = keys.EmptyCopy();
	merged.Merge(keys);
	auto fitted = merged.Fitted();
	KeySet::Decode(fitted.Encode());
	for (auto &value : keys.Values()) {
		value.ToString();
	}
	keys.Smallest().ToString();
	keys.Largest().ToString();
	keys.PrepareLookUps();
	keys.Saturated();
	for (uint64_t i = 0; i < 64; i++) {
		keys.MayContain(i * 0x9e3779b97f4a7c15ULL);
	}
}

std::string Sample(const duckdb::LogicalType &type, int64_t count, uint8_t log2_bits) {
	duckdb::Vector vector(duckdb::LogicalType::BIGINT, static_cast<duckdb::idx_t>(count));
	for (int64_t i = 0; i < count; i++) {
		vector.SetValue(static_cast<duckdb::idx_t>(i), duckdb::Value::BIGINT(i % 100));
	}
	duckdb::Vector typed(type, static_cast<duckdb::idx_t>(count));
	for (duckdb::idx_t i = 0; i < static_cast<duckdb::idx_t>(count); i++) {
		typed.SetValue(i, vector.GetValue(i).DefaultCastAs(type));
	}
	KeySet keys(type, log2_bits);
	keys.Add(typed, static_cast<duckdb::idx_t>(count));
	return keys.Encode();
}

} // namespace

std::vector<std::string> Samples() {
	using duckdb::LogicalType;
	return {Sample(LogicalType::BIGINT, 5, 18), Sample(LogicalType::VARCHAR, 4, 18),
	        Sample(LogicalType::INTEGER, 100, 20), Sample(LogicalType::DECIMAL(9, 2), 3, 19),
	        KeySet(LogicalType::UUID, 18).Encode()};
}

} // namespace duckherder::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	using namespace duckherder::fuzz;
	Decode([&] { DecodeAndLookUp(Text(data, size)); });
	return 0;
}
