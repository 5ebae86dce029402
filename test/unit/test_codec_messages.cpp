#include "wire/messages.hpp"
#include "common/limits.hpp"
#include "transport/sample_messages.hpp"

#include "duckdb.hpp"
#include "duckdb/common/serializer/binary_serializer.hpp"
#include "duckdb/common/serializer/memory_stream.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <set>

namespace duckherder {
namespace {

using duckdb::LogicalType;
using duckdb::SerializationException;

LogicalType SampleEnum() {
	duckdb::Vector colours(LogicalType::VARCHAR, 3);
	colours.SetValue(0, "red");
	colours.SetValue(1, "");
	colours.SetValue(2, "grün");
	return LogicalType::ENUM(colours, 3);
}

//! Without an ENUM: DuckDB believes the number of values that stands before them, and reads beyond its memory if that
//! was changed on the way. Who has the token may send plans, which can do worse.
duckdb::vector<LogicalType> SampleTypes() {
	auto json = LogicalType(duckdb::LogicalTypeId::VARCHAR);
	json.SetAlias("JSON");
	return {LogicalType::SQLNULL,
	        LogicalType::DECIMAL(38, 7),
	        json,
	        LogicalType::STRUCT({{"a", LogicalType::LIST(LogicalType::HUGEINT)}, {"B b", json}}),
	        LogicalType::MAP(LogicalType::VARCHAR, LogicalType::ARRAY(LogicalType::DOUBLE, 3)),
	        LogicalType::UNION({{"n", LogicalType::INTEGER}, {"s", LogicalType::VARCHAR}}),
	        LogicalType::VARCHAR_COLLATION("NOCASE"),
	        LogicalType::TIMESTAMP_TZ};
}

//! A message as bytes, and its decoder, which gives the bytes of what it found
struct Sample {
	std::string name;
	std::string bytes;
	std::function<std::string(const std::string &)> decode;
};

std::vector<Sample> Samples() {
	std::vector<WorkerInfo> workers {SampleWorkerInfo(), WorkerInfo()};
	return {
	    {"TaskRequest", EncodeMessage(SampleTaskRequest()),
	     [](auto &bytes) { return EncodeMessage(DecodeMessage<TaskRequest>(bytes)); }},
	    {"TaskResult", EncodeMessage(SampleTaskResult()),
	     [](auto &bytes) { return EncodeMessage(DecodeMessage<TaskResult>(bytes)); }},
	    {"FetchRequest", EncodeMessage(SampleFetchRequest()),
	     [](auto &bytes) { return EncodeMessage(DecodeMessage<FetchRequest>(bytes)); }},
	    {"WorkerInfo", EncodeMessage(SampleWorkerInfo()),
	     [](auto &bytes) { return EncodeMessage(DecodeMessage<WorkerInfo>(bytes)); }},
	    {"WorkerList", EncodeMessage(WorkerList {workers}),
	     [](auto &bytes) { return EncodeMessage(DecodeMessage<WorkerList>(bytes)); }},
	    {"TaskError", EncodeMessage(SampleTaskError()),
	     [](auto &bytes) { return EncodeMessage(DecodeMessage<TaskError>(bytes)); }},
	    {"types", EncodeTypes(SampleTypes()), [](auto &bytes) { return EncodeTypes(DecodeTypes(bytes)); }},
	    {"parts", EncodeParts({"one", "", std::string(100, '\0')}),
	     [](auto &bytes) { return EncodeParts(DecodeParts(bytes)); }},
	};
}

template <class MESSAGE>
void ExpectTravels(const MESSAGE &sample) {
	ExpectAllSet(sample);
	EXPECT_TRUE(DecodeMessage<MESSAGE>(EncodeMessage(sample)) == sample);
	EXPECT_TRUE(DecodeMessage<MESSAGE>(EncodeMessage(MESSAGE())) == MESSAGE());
}

TEST(CodecMessages, EveryFieldTravels) {
	ExpectTravels(SampleTaskRequest());
	ExpectTravels(SampleTaskResult());
	ExpectTravels(SampleFetchRequest());
	ExpectTravels(SampleWorkerInfo());
	ExpectTravels(SampleTaskError());
	std::vector<WorkerInfo> workers {SampleWorkerInfo(), WorkerInfo(), SampleWorkerInfo()};
	EXPECT_TRUE(DecodeMessage<WorkerList>(EncodeMessage(WorkerList {workers})).workers == workers);
	EXPECT_TRUE(DecodeMessage<WorkerList>(EncodeMessage(WorkerList())).workers.empty());
	std::vector<QueryReport> reports {SampleQueryReport(), QueryReport()};
	EXPECT_TRUE(DecodeMessage<QueryReports>(EncodeMessage(QueryReports {reports})).queries == reports);
}

TEST(CodecMessages, EveryValueOfAnEnumTravels) {
	auto request = SampleTaskRequest();
	std::set<SplitKind> kinds;
	for (auto &part : SampleParts()) {
		std::visit([](auto &known) { ExpectAllSet(known); }, part);
		request.split.part = part;
		kinds.insert(request.split.Kind());
		EXPECT_TRUE(DecodeMessage<TaskRequest>(EncodeMessage(request)) == request);
	}
	EXPECT_EQ(kinds.size(), std::variant_size_v<SplitPart>);
	for (auto kind : {ExchangeKind::RESULT, ExchangeKind::HASH, ExchangeKind::BROADCAST, ExchangeKind::GATHER,
	                  ExchangeKind::ROUND_ROBIN, ExchangeKind::RANGE, ExchangeKind::SAMPLE}) {
		request.output.kind = kind;
		request.inputs = std::make_shared<const StageInputs>(StageInputs {SampleInput(1, kind)});
		EXPECT_TRUE(DecodeMessage<TaskRequest>(EncodeMessage(request)) == request);
	}
	for (auto kind : {ErrorKind::USER, ErrorKind::WORKER_FAILURE, ErrorKind::LOST_INPUT, ErrorKind::CANCELLED,
	                  ErrorKind::DRAINING, ErrorKind::REPLACED}) {
		EXPECT_TRUE(DecodeMessage<TaskError>(EncodeMessage(SampleTaskError(kind))) == SampleTaskError(kind));
	}
	auto info = SampleWorkerInfo();
	for (auto state : {WorkerState::ACTIVE, WorkerState::DRAINING, WorkerState::LOST}) {
		info.state = state;
		EXPECT_TRUE(DecodeMessage<WorkerInfo>(EncodeMessage(info)) == info);
	}
}

TEST(CodecMessages, UnknownValuesOfAnEnumAreRefused) {
	auto request = SampleTaskRequest();
	request.split.part = RowGroupSplit();
	auto bytes = EncodeMessage(request);
	request.split.part = RangeSplit();
	auto others = EncodeMessage(request);
	// These two kinds have the same fields: only the byte of the kind is another one.
	auto differs = std::mismatch(bytes.begin(), bytes.end(), others.begin()).first;
	ASSERT_NE(differs, bytes.end());
	*differs = static_cast<char>(std::variant_size_v<SplitPart>);
	EXPECT_THROW(DecodeMessage<TaskRequest>(bytes), SerializationException);
	request = SampleTaskRequest();
	request.output.kind = static_cast<ExchangeKind>(static_cast<uint8_t>(LAST_EXCHANGE_KIND) + 1);
	EXPECT_THROW(DecodeMessage<TaskRequest>(EncodeMessage(request)), SerializationException);
	request = SampleTaskRequest();
	request.inputs = std::make_shared<const StageInputs>(StageInputs {SampleInput(1, static_cast<ExchangeKind>(255))});
	EXPECT_THROW(DecodeMessage<TaskRequest>(EncodeMessage(request)), SerializationException);
	EXPECT_THROW(DecodeMessage<TaskError>(EncodeMessage(SampleTaskError(static_cast<ErrorKind>(10)))),
	             SerializationException);
	auto info = SampleWorkerInfo();
	info.state = static_cast<WorkerState>(4);
	EXPECT_THROW(DecodeMessage<WorkerInfo>(EncodeMessage(info)), SerializationException);
}

TEST(CodecMessages, TypesTravelWithAllThatBelongsToThem) {
	auto types = SampleTypes();
	types.push_back(SampleEnum());
	auto decoded = DecodeTypes(EncodeTypes(types));
	ASSERT_EQ(decoded, types);
	for (size_t i = 0; i < types.size(); i++) {
		// equality ignores some of it
		EXPECT_EQ(decoded[i].ToString(), types[i].ToString());
		EXPECT_EQ(decoded[i].GetAlias(), types[i].GetAlias());
	}
	EXPECT_EQ(duckdb::EnumType::GetString(decoded.back(), 2).GetString(), "grün");
	EXPECT_EQ(duckdb::StringType::GetCollation(decoded[6]), "NOCASE");
	EXPECT_TRUE(DecodeTypes(EncodeTypes({})).empty());

	duckdb::DuckDB db(nullptr);
	auto all = duckdb::Connection(db).Query("SELECT * FROM test_all_types() LIMIT 0");
	ASSERT_FALSE(all->HasError());
	ASSERT_GT(all->types.size(), 50U);
	EXPECT_EQ(DecodeTypes(EncodeTypes(all->types)), all->types);
}

TEST(CodecMessages, PartsMayBeAnything) {
	for (auto &parts : {std::vector<std::string>(), std::vector<std::string> {""},
	                    std::vector<std::string> {"a", "", std::string("\0\xFF\x01", 3), std::string(3 << 20, 'x')}}) {
		EXPECT_EQ(DecodeParts(EncodeParts(parts)), parts);
	}
}

TEST(CodecMessages, FieldsThatAreNotThereHaveTheirDefaults) {
	// what a node would send that does not know the fields yet
	duckdb::MemoryStream stream;
	duckdb::BinarySerializer serializer(stream);
	serializer.Begin();
	serializer.WriteProperty<uint8_t>(1, "kind", 3);
	serializer.WriteProperty<std::string>(10, "query_id", "q");
	serializer.End();
	FetchRequest expected;
	expected.query_id = "q";
	std::string bytes(reinterpret_cast<const char *>(stream.GetData()), stream.GetPosition());
	EXPECT_TRUE(DecodeMessage<FetchRequest>(bytes) == expected);
}

TEST(CodecMessages, CutOffMessagesAreRefused) {
	for (auto &sample : Samples()) {
		ASSERT_EQ(sample.decode(sample.bytes), sample.bytes) << sample.name;
		for (size_t size = 0; size < sample.bytes.size(); size++) {
			EXPECT_THROW(sample.decode(sample.bytes.substr(0, size)), SerializationException)
			    << size << " bytes of a " << sample.name;
		}
	}
}

TEST(CodecMessages, MessagesFollowedByMoreAreRefused) {
	for (auto &sample : Samples()) {
		for (auto &more : {std::string(1, '\0'), std::string("\xFF\xFF"), sample.bytes}) {
			EXPECT_THROW(sample.decode(sample.bytes + more), SerializationException) << sample.name;
		}
	}
}

TEST(CodecMessages, MessagesOfAnotherKindAreRefused) {
	auto samples = Samples();
	for (auto &sample : samples) {
		for (auto &other : samples) {
			if (other.name != sample.name) {
				EXPECT_THROW(sample.decode(other.bytes), SerializationException) << other.name << " as " << sample.name;
			}
		}
	}
}

TEST(CodecMessages, ErrorsSayWhatWasExpected) {
	try {
		DecodeMessage<TaskRequest>("garbage");
		FAIL();
	} catch (SerializationException &error) {
		EXPECT_NE(std::string(error.what()).find("these 7 bytes are not a TaskRequest"), std::string::npos)
		    << error.what();
	}
}

//! Whatever happens to the bytes, the decoder gives a message or a SerializationException
void ExpectNoCrash(const Sample &sample, const std::string &bytes, int &decoded) {
	try {
		sample.decode(bytes);
		decoded++;
	} catch (SerializationException &) {
	} catch (std::exception &error) {
		FAIL() << sample.name << ": " << error.what();
	}
}

TEST(CodecMessages, FlippedBitsNeverCrash) {
	std::mt19937 random(20260101);
	for (auto &sample : Samples()) {
		auto decoded = 0;
		// each bit by itself
		for (size_t bit = 0; bit < sample.bytes.size() * 8; bit++) {
			auto bytes = sample.bytes;
			bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
			ExpectNoCrash(sample, bytes, decoded);
		}
		EXPECT_GT(decoded, 0) << "no flip in a " << sample.name << " hits a value, which cannot be";
		for (auto round = 0; round < 3000; round++) {
			auto bytes = sample.bytes;
			for (auto flips = 1 + random() % 6; flips > 0; flips--) {
				bytes[random() % bytes.size()] = static_cast<char>(random() % 3 == 0 ? 0xFF : random());
			}
			ExpectNoCrash(sample, bytes, decoded);
		}
	}
}

TEST(CodecMessages, NoiseNeverCrashes) {
	std::mt19937 random(7);
	auto samples = Samples();
	for (auto round = 0; round < 5000; round++) {
		auto &sample = samples[random() % samples.size()];
		// the true beginning lets the decoder get further
		auto noise = sample.bytes.substr(0, random() % 12);
		for (auto size = random() % 200; size > 0; size--) {
			noise += static_cast<char>(random() % 4 == 0 ? random() % 24 : random());
		}
		auto decoded = 0;
		ExpectNoCrash(sample, noise, decoded);
	}
}

TEST(CodecMessages, TooLargeMessagesAreRefused) {
	constexpr auto LIMIT = limits::CONTROL_MESSAGE_BYTES_MAX;
	auto request = SampleTaskRequest();
	request.fragment = std::make_shared<const std::string>(LIMIT, 'x');
	EXPECT_THROW(EncodeMessage(request), SerializationException);
	EXPECT_THROW(DecodeMessage<TaskRequest>(std::string(LIMIT + 1, 'x')), SerializationException);
	// a good message with so much behind it is refused for its size, not after a look at it
	try {
		DecodeParts(EncodeParts({"a"}) + std::string(LIMIT, 'x'));
		FAIL();
	} catch (SerializationException &error) {
		EXPECT_NE(std::string(error.what()).find("larger than the"), std::string::npos) << error.what();
	}
	request.fragment = std::make_shared<const std::string>(32 << 20, 'x');
	EXPECT_TRUE(DecodeMessage<TaskRequest>(EncodeMessage(request)) == request);
}

} // namespace
} // namespace duckherder
