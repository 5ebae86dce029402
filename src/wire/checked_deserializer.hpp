#pragma once

#include "duckdb.hpp"
#include "duckdb/common/serializer/deserializer.hpp"

#include <functional>
#include <string>
#include <vector>

namespace duckherder {

//! Reads what DuckDB's BinarySerializer wrote, from bytes that nobody vouches for. DuckDB's own BinaryDeserializer
//! believes them: it allocates a text's length before it looks whether there is so much, puts the values of an ENUM
//! into memory for as many as a number in front of them says, takes the parameters of a type for those of any other,
//! and follows objects into each other until the stack ends. Here all of these are SerializationExceptions.
class CheckedDeserializer : public duckdb::Deserializer {
public:
	enum class Types : uint8_t {
		COLUMNS, //! those that a column may have
		ALL      //! also those that only plans contain
	};

	//! The bytes must outlive it
	CheckedDeserializer(const std::string &bytes, Types types);

	//! `check` is called with the name of each function of a plan before DuckDB looks it up and binds it, which may
	//! open files; it may throw. `bound`: in a plan; otherwise in an expression as the parser made it.
	void CheckFunctions(std::function<void(const std::string &name, bool bound)> check) {
		function_check = std::move(check);
	}

	void Begin() {
		OnObjectBegin();
	}
	//! Throws if more bytes follow
	void End();

	bool CanDeserializeProperty(const duckdb::field_id_t field_id, const char *tag) override;

protected:
	void OnPropertyBegin(const duckdb::field_id_t field_id, const char *tag) override;
	void OnPropertyEnd() override {
	}
	bool OnOptionalPropertyBegin(const duckdb::field_id_t field_id, const char *tag) override;
	void OnOptionalPropertyEnd(bool) override {
	}
	void OnObjectBegin() override;
	void OnObjectEnd() override;
	duckdb::idx_t OnListBegin() override;
	void OnListEnd() override {
	}
	bool OnNullableBegin() override;
	void OnNullableEnd() override {
	}

	bool ReadBool() override;
	char ReadChar() override;
	int8_t ReadSignedInt8() override;
	uint8_t ReadUnsignedInt8() override;
	int16_t ReadSignedInt16() override;
	uint16_t ReadUnsignedInt16() override;
	int32_t ReadSignedInt32() override;
	uint32_t ReadUnsignedInt32() override;
	int64_t ReadSignedInt64() override;
	uint64_t ReadUnsignedInt64() override;
	float ReadFloat() override;
	double ReadDouble() override;
	duckdb::string ReadString() override;
	duckdb::hugeint_t ReadHugeInt() override;
	duckdb::uhugeint_t ReadUhugeInt() override;
	void ReadDataPtr(duckdb::data_ptr_t &target, duckdb::idx_t count) override;

private:
	//! An object that is being read, as far as it is a type
	struct Object {
		//! Of a type
		duckdb::LogicalTypeId id = duckdb::LogicalTypeId::INVALID;
		//! The object holds the parameters of a type with this id
		bool is_type_info = false;
		duckdb::LogicalTypeId owner = duckdb::LogicalTypeId::INVALID;
		//! It says which aggregate a type is the exported state of.
		bool describes_state = false;
		//! How many values an ENUM has, once it has said so
		duckdb::idx_t enum_values = 0;
	};

	//! The tag of the value that is read next; each is used once
	bool TagIs(const char *name);
	void BeginProperty(duckdb::field_id_t field_id, const char *tag);
	//! The parameters of a type are not there
	void CheckNeedsNoInfo() const;
	duckdb::idx_t Remaining() const {
		return bytes.size() - position;
	}
	void ReadData(void *target, duckdb::idx_t size);
	template <class T>
	T ReadPlain();
	template <class T>
	T ReadVarInt();
	duckdb::field_id_t PeekField();
	duckdb::field_id_t NextField();

	const std::string &bytes;
	const Types types;
	duckdb::idx_t position = 0;
	bool has_buffered_field = false;
	duckdb::field_id_t buffered_field = 0;
	const char *tag = nullptr;
	std::function<void(const std::string &name, bool bound)> function_check;
	//! What the text means that is read next
	enum class Text : uint8_t { ANY, BOUND_FUNCTION, PARSED_FUNCTION };
	Text text = Text::ANY;
	std::vector<Object> objects;
};

//! Throws SerializationException for a type that no column can have, or whose parameters are impossible.
void CheckColumnType(const duckdb::LogicalType &type);

} // namespace duckherder
