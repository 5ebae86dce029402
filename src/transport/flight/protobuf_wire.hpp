#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace duckherder {

//! Reads one protobuf message from the wire, field after field. The libraries bring a protobuf runtime of their own,
//! and a process must not have two: so the few small messages of Flight SQL are read by hand. All lengths are checked;
//! whatever is no message throws SerializationException. Groups, which nobody writes any more, are none. Views point
//! into the bytes that were given. Used by one thread.
class ProtobufReader {
public:
	explicit ProtobufReader(std::string_view bytes);

	//! Goes to the next field; false after the last one. Fields that are not read are skipped.
	bool Next();
	uint32_t Field() const {
		return field;
	}
	//! Whether the current field is of the kind that Bytes reads
	bool IsBytes() const;
	//! The value of the current field; throws if it is of another kind.
	uint64_t Number();
	std::string_view Bytes();
	//! Also throws if it is no UTF-8
	std::string Text();

private:
	uint64_t ReadVarint();
	void Take(uint64_t count);
	[[noreturn]] void Fail(const char *what) const;

	std::string_view rest;
	uint32_t field = 0;
	uint32_t wire_type = 0;
	uint64_t number = 0;
	std::string_view content;
};

//! Writes one
class ProtobufWriter {
public:
	void Number(uint32_t field, uint64_t value);
	void Bytes(uint32_t field, std::string_view value);

	const std::string &Result() const {
		return bytes;
	}

private:
	void Varint(uint64_t value);

	std::string bytes;
};

} // namespace duckherder
