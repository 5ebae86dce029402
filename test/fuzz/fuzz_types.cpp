#include "compat/names.hpp"
#include "fuzz/fuzz_target.hpp"

#include "wire/chunk_codec.hpp"
#include "wire/messages.hpp"

namespace duckherder::fuzz {

namespace {

void DecodeAndUse(const std::string &bytes) {
	auto types = DecodeTypes(bytes);
	auto once = EncodeTypes(types);
	Expect(EncodeTypes(DecodeTypes(once)) == once, "types are others after a round of encoding and decoding");
	for (auto &type : types) {
		type.ToString();
		duckdb::LogicalType copy = type;
		Expect(copy == type, "a type is not equal to its copy");
		if (HasWireType(type)) {
			WireSchema({type});
		}
	}
}

} // namespace

std::vector<std::string> Samples() {
	using duckdb::LogicalType;
	duckdb::Vector names(LogicalType::VARCHAR, 2);
	names.SetValue(0, duckdb::Value("a"));
	names.SetValue(1, duckdb::Value("a longer name of a value"));
	LogicalType named(LogicalType::BIGINT);
	named.SetAlias("alias");
	return {
	    EncodeTypes({LogicalType::INTEGER, LogicalType::VARCHAR, LogicalType::DECIMAL(18, 3)}),
	    EncodeTypes({LogicalType::ENUM(names, 2), named, LogicalType::VARCHAR_COLLATION("nocase")}),
	    EncodeTypes(
	        {LogicalType::LIST(LogicalType::LIST(LogicalType::INTEGER)), LogicalType::ARRAY(LogicalType::DOUBLE, 3)}),
	    EncodeTypes({LogicalType::STRUCT({{"a", LogicalType::INTEGER}, {"b", LogicalType::BLOB}}),
	                 LogicalType::UNION({{"n", LogicalType::INTEGER}, {"s", LogicalType::VARCHAR}})}),
	    EncodeTypes({LogicalType::MAP(LogicalType::VARCHAR, LogicalType::UUID), LogicalType::VARIANT(),
	                 LogicalType::BIT, LogicalType::GEOMETRY()}),
	    EncodeTypes({}),
	};
}

} // namespace duckherder::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	using namespace duckherder::fuzz;
	Decode([&] { DecodeAndUse(Text(data, size)); });
	return 0;
}
