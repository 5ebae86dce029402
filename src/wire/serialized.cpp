#include "wire/serialized.hpp"

#include "duckdb/common/serializer/binary_serializer.hpp"
#include "duckdb/common/serializer/memory_stream.hpp"

namespace duckherder {

using namespace duckdb;

std::string Serialized(const std::function<void(Serializer &)> &write) {
	MemoryStream stream;
	SerializationOptions options;
	options.serialization_compatibility = SerializationCompatibility::Latest();
	BinarySerializer serializer(stream, options);
	serializer.Begin();
	write(serializer);
	serializer.End();
	return std::string(const_char_ptr_cast(stream.GetData()), stream.GetPosition());
}

} // namespace duckherder
