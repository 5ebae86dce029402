#include "transport/flight/flight_connector.hpp"
#include "transport/credentials/token.hpp"

#include "duckdb.hpp"
#include "duckdb/common/enum_util.hpp"
#include "duckdb/common/types/data_chunk.hpp"

#include <cstdlib>
#include <iostream>
#include <unistd.h>

//! fetch_output LOCATION QUERY STAGE TASK ATTEMPT PARTITION COUNT TYPE...
//! Asks the worker at LOCATION for an output as other workers do, with the token that nodes find. Prints how many rows
//! came, and the error if they ended with one.
namespace duckherder {
namespace {

constexpr int FIXED_WORDS = 8;

uint32_t NumberOf(const char *word) {
	return static_cast<uint32_t>(std::strtoul(word, nullptr, 10));
}

int Run(int count, char **words) {
	if (count <= FIXED_WORDS) {
		std::cerr << "fetch_output LOCATION QUERY STAGE TASK ATTEMPT PARTITION COUNT TYPE..." << std::endl;
		return 2;
	}
	FetchRequest request;
	request.query_id = words[2];
	request.stage_id = NumberOf(words[3]);
	request.task_id = NumberOf(words[4]);
	request.attempt = NumberOf(words[5]);
	request.partition = NumberOf(words[6]);
	request.partition_count = NumberOf(words[7]);
	duckdb::vector<duckdb::LogicalType> types;
	for (auto i = FIXED_WORDS; i < count; i++) {
		types.emplace_back(duckdb::EnumUtil::FromString<duckdb::LogicalTypeId>(words[i]));
	}
	uint64_t rows = 0;
	try {
		FlightConnector connector(FlightClientSettings {LoadOrCreateToken(std::nullopt), ""});
		auto reader = connector.Connect({"", words[1]})->Fetch(request, types)->OpenReader();
		duckdb::DataChunk chunk;
		chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
		do {
			chunk.Reset();
			reader->Next(chunk);
			rows += chunk.size();
		} while (chunk.size() > 0);
	} catch (std::exception &error) {
		std::cout << rows << " rows\n" << duckdb::ErrorData(error).Message() << std::endl;
		return 1;
	}
	std::cout << rows << " rows" << std::endl;
	return 0;
}

} // namespace
} // namespace duckherder

int main(int argc, char **argv) {
	// gRPC's threads are still there
	_exit(duckherder::Run(argc, argv));
}
