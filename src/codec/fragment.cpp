#include "codec/fragment.hpp"

#include "duckdb/common/serializer/binary_deserializer.hpp"
#include "duckdb/common/serializer/binary_serializer.hpp"
#include "duckdb/common/serializer/memory_stream.hpp"

namespace duckherder {

using namespace duckdb;

std::string EncodeFragment(ClientContext &context, const LogicalOperator &plan) {
	MemoryStream stream(Allocator::Get(context));
	SerializationOptions options;
	// both ends run the same version, so nothing has to be left out for older readers
	options.serialization_compatibility = SerializationCompatibility::Latest();
	BinarySerializer::Serialize(plan, stream, options);
	return std::string(const_char_ptr_cast(stream.GetData()), stream.GetPosition());
}

unique_ptr<LogicalOperator> DecodeFragment(ClientContext &context, const std::string &bytes) {
	// the stream only reads, but takes a pointer that it could write to
	MemoryStream stream(data_ptr_cast(const_cast<char *>(bytes.data())), bytes.size());
	bound_parameter_map_t parameters;
	auto plan = BinaryDeserializer::Deserialize<LogicalOperator>(stream, context, parameters);
	plan->ResolveOperatorTypes();
	return plan;
}

} // namespace duckherder
