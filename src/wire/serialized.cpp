#include "wire/serialized.hpp"

#include "compat/names.hpp"

#include "duckdb/common/serializer/binary_serializer.hpp"
#include "duckdb/common/serializer/memory_stream.hpp"

namespace duckherder {

using namespace duckdb;

std::string Serialized(const std::function<void(Serializer &)> &write) {
	MemoryStream stream;
	BinarySerializer serializer(stream, LatestFormat());
	serializer.Begin();
	write(serializer);
	serializer.End();
	return std::string(const_char_ptr_cast(stream.GetData()), stream.GetPosition());
}

} // namespace duckherder
