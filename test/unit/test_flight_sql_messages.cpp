#include "transport/flight_sql/flight_sql_messages.hpp"
#include "transport/flight/protobuf_wire.hpp"

#include "duckdb/common/exception.hpp"

#include <gtest/gtest.h>

#include <random>

//! The messages of Flight SQL as bytes: what a protobuf runtime writes is read, everything else is refused
namespace duckherder {
namespace {

using duckdb::SerializationException;
using namespace std::string_literals;

TEST(FlightSqlMessages, NumbersAndBytesComeBack) {
	for (auto value : {uint64_t(0), uint64_t(1), uint64_t(127), uint64_t(128), uint64_t(300), uint64_t(1) << 35,
	                   ~uint64_t(0), static_cast<uint64_t>(int64_t(-1))}) {
		ProtobufWriter writer;
		writer.Number(1, value);
		writer.Bytes(536870911, "text");
		ProtobufReader reader(writer.Result());
		ASSERT_TRUE(reader.Next());
		EXPECT_EQ(reader.Field(), 1U);
		EXPECT_EQ(reader.Number(), value);
		EXPECT_THROW(reader.Bytes(), SerializationException);
		ASSERT_TRUE(reader.Next());
		EXPECT_EQ(reader.Field(), 536870911U);
		EXPECT_EQ(reader.Bytes(), "text");
		EXPECT_THROW(reader.Number(), SerializationException);
		EXPECT_FALSE(reader.Next());
	}
}

TEST(FlightSqlMessages, WhatARuntimeWrites) {
	// Any{CommandStatementQuery{query: "SELECT 1", transaction_id: "t"}}, by protobuf's own encoder
	auto url = "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"s;
	std::string bytes = "\x0a";
	bytes.push_back(static_cast<char>(url.size()));
	bytes.append(url).append("\x12\x0d\x0a\x08SELECT 1\x12\x01t");
	ASSERT_TRUE(flight_sql::IsPacked(bytes));
	auto packed = flight_sql::Unpack(bytes);
	EXPECT_EQ(packed.name, "CommandStatementQuery");
	auto request = flight_sql::ReadStatementRequest(packed.body);
	EXPECT_EQ(request.query, "SELECT 1");
	EXPECT_EQ(request.transaction, "t");
	EXPECT_EQ(flight_sql::Pack(packed.name, packed.body), bytes);
}

TEST(FlightSqlMessages, FieldsThatNobodyKnowsAreSkipped) {
	ProtobufWriter writer;
	writer.Number(99, 7);
	writer.Bytes(98, "later");
	writer.Bytes(1, "SELECT 1");
	auto bytes = writer.Result() + "\x1d\x01\x02\x03\x04"s + "\x21\x01\x02\x03\x04\x05\x06\x07\x08"s;
	EXPECT_EQ(flight_sql::ReadStatementRequest(bytes).query, "SELECT 1");
}

TEST(FlightSqlMessages, WhatIsAbsentIsNotEmpty) {
	EXPECT_FALSE(flight_sql::ReadObjectsRequest("").catalog);
	ProtobufWriter writer;
	writer.Bytes(1, "");
	writer.Bytes(4, "TABLE");
	writer.Bytes(4, "VIEW");
	writer.Number(5, 1);
	auto request = flight_sql::ReadObjectsRequest(writer.Result());
	EXPECT_EQ(request.catalog, "");
	EXPECT_FALSE(request.schema_pattern);
	EXPECT_EQ(request.table_types, (std::vector<std::string> {"TABLE", "VIEW"}));
	EXPECT_TRUE(request.include_schema);
}

TEST(FlightSqlMessages, ListsOfNumbersComeInBothForms) {
	EXPECT_EQ(flight_sql::ReadSqlInfoRequest("\x08\x03\x08\xf8\x03"s), (std::vector<uint32_t> {3, 504}));
	EXPECT_EQ(flight_sql::ReadSqlInfoRequest("\x0a\x03\x03\xf8\x03"s), (std::vector<uint32_t> {3, 504}));
	EXPECT_THROW(flight_sql::ReadSqlInfoRequest("\x0a\x02\x03\xf8"s), SerializationException);
	EXPECT_THROW(flight_sql::ReadSqlInfoRequest("\x0a\x06\xff\xff\xff\xff\xff\x7f"s), SerializationException);
}

TEST(FlightSqlMessages, WhatIsNoMessageIsRefused) {
	std::vector<std::string> bad = {"\x0a"s,                                             // no length
	                                "\x0a\x05text"s,                                     // shorter than its length
	                                "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s,     // a length of 2^64 - 1
	                                "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"s,     // a number of 65 bits
	                                "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"s, // and one that goes on and on
	                                "\x02\x00"s,                                         // field 0
	                                "\x0b"s,
	                                "\x0c"s, // a group
	                                "\x0e"s,
	                                "\x0f"s, // kinds that there are not
	                                "\x09\x01\x02"s,
	                                "\x0d\x01"s,         // fixed widths, cut off
	                                "\x0a\x02\xc3\x28"s, // no UTF-8
	                                "\x08\x01"s};        // a number where text belongs
	for (auto &bytes : bad) {
		SCOPED_TRACE(testing::PrintToString(bytes));
		EXPECT_THROW(flight_sql::ReadStatementRequest(bytes), SerializationException);
		EXPECT_FALSE(flight_sql::IsPacked(bytes));
	}
	EXPECT_THROW(flight_sql::Unpack("\x0a\x04text"s), SerializationException);
	EXPECT_THROW(flight_sql::ReadEndTransactionRequest("\x10\x07"s), SerializationException);
	EXPECT_THROW(flight_sql::ReadIngestRequest("\x0a\x02\x08\x09"s), SerializationException);
}

TEST(FlightSqlMessages, AnyBytesEndInAMessageOrAnError) {
	std::mt19937 random(1);
	for (auto round = 0; round < 20000; round++) {
		std::string bytes(random() % 64, '\0');
		for (auto &byte : bytes) {
			// small ones are more often the beginning of something
			byte = static_cast<char>(random() % 3 == 0 ? random() : random() % 48);
		}
		auto read = [&](auto function) {
			try {
				function();
			} catch (SerializationException &) { // NOLINT: as it should be
			}
		};
		read([&] { flight_sql::Unpack(bytes); });
		read([&] { flight_sql::ReadStatementRequest(bytes); });
		read([&] { flight_sql::ReadHandle(bytes); });
		read([&] { flight_sql::ReadEndTransactionRequest(bytes); });
		read([&] { flight_sql::ReadObjectsRequest(bytes); });
		read([&] { flight_sql::ReadTableReference(bytes); });
		read([&] { flight_sql::ReadCrossReference(bytes); });
		read([&] { flight_sql::ReadSqlInfoRequest(bytes); });
		read([&] { flight_sql::ReadXdbcTypeRequest(bytes); });
		read([&] { flight_sql::ReadIngestRequest(bytes); });
		EXPECT_FALSE(flight_sql::IsPacked(bytes));
	}
}

} // namespace
} // namespace duckherder
