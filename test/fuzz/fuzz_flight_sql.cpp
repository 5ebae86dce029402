#include "compat/names.hpp"
#include "fuzz/fuzz_target.hpp"

#include "transport/flight_sql/flight_sql_messages.hpp"

namespace duckherder::fuzz {

namespace {

//! Everything that is read of a message, whatever it says it is
void Read(const std::string &bytes) {
	auto read = [&](auto function) { Decode([&] { function(bytes); }); };
	read([](const std::string &body) { flight_sql::ReadStatementRequest(body); });
	read([](const std::string &body) { flight_sql::ReadHandle(body); });
	read([](const std::string &body) { flight_sql::ReadEndTransactionRequest(body); });
	read([](const std::string &body) { flight_sql::ReadObjectsRequest(body); });
	read([](const std::string &body) { flight_sql::ReadTableReference(body); });
	read([](const std::string &body) { flight_sql::ReadCrossReference(body); });
	read([](const std::string &body) { flight_sql::ReadSqlInfoRequest(body); });
	read([](const std::string &body) { flight_sql::ReadXdbcTypeRequest(body); });
	read([](const std::string &body) { flight_sql::ReadIngestRequest(body); });
	read([](const std::string &body) { flight_sql::IsPacked(body); });
	Decode([&] {
		auto packed = flight_sql::Unpack(bytes);
		auto again = flight_sql::Unpack(flight_sql::Pack(packed.name, packed.body));
		Expect(again.name == packed.name && again.body == packed.body, "a message is another one after packing it");
	});
}

} // namespace

std::vector<std::string> Samples() {
	return {flight_sql::Pack("CommandStatementQuery", "\x0a\x08SELECT 1\x12\x01t"),
	        flight_sql::Pack("CommandGetTables", "\x0a\x06memory\x12\x01%\x1a\x01t\x22\x05TABLE\x28\x01"),
	        flight_sql::Pack("CommandGetSqlInfo", "\x0a\x03\x03\xf8\x03"),
	        flight_sql::Pack("CommandStatementIngest", "\x0a\x04\x08\x01\x10\x02\x12\x01t\x28\x01\x32\x01x"),
	        flight_sql::WriteHandle("handle"),
	        flight_sql::WriteUpdateResult(-1)};
}

} // namespace duckherder::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	using namespace duckherder::fuzz;
	Read(Text(data, size));
	return 0;
}
