#include "chunk_rows.hpp"
#include "sample_messages.hpp"
#include "transports.hpp"

#include "duckdb/common/exception/conversion_exception.hpp"

//! Fetch, over both transports
namespace duckherder {
namespace {

using duckdb::DataChunk;
using duckdb::ExceptionType;
using duckdb::idx_t;
using duckdb::LogicalType;

//! Several batches of a transport; the rest of a row count that no batch divides
constexpr idx_t MANY_CHUNKS = 100;

class TransportOutputs : public TransportTest {
protected:
	void Serve(std::shared_ptr<ChunkSource> output) {
		worker->fetch = [output](const FetchRequest &, const duckdb::vector<LogicalType> &) { return output; };
	}

	void ExpectArrives(const std::string &sql) {
		SCOPED_TRACE(sql);
		auto rows = QueryRows(sql);
		Serve(SourceOf(rows));
		auto output = Connect()->Fetch(MakeFetch(), rows->Types());
		EXPECT_EQ(output->Types(), rows->Types());
		EXPECT_GE(output->MaxReaders(), 1U);
		EXPECT_EQ(ReadAll(*output), TextOf(*rows));
	}

	//! Reads until an error; the rows before it must be the first numbers
	duckdb::ErrorData ReadToError(ChunkSource &output) {
		NumberedRows rows;
		auto error = ErrorOf([&] { ReadOn(*output.OpenReader(), NumberTypes(), rows); });
		for (idx_t i = 0; i < rows.size(); i++) {
			EXPECT_EQ(rows[i].second, std::to_string(i));
		}
		EXPECT_TRUE(error.HasError()) << "the output ended after " << rows.size() << " rows";
		return error;
	}
};

TEST_P(TransportOutputs, RequestArrivesAsItWasSent) {
	auto sample = SampleFetchRequest();
	ExpectAllSet(sample);
	duckdb::vector<LogicalType> types {LogicalType::DECIMAL(38, 7), LogicalType::LIST(LogicalType::VARCHAR)};
	auto json = LogicalType(duckdb::LogicalTypeId::VARCHAR);
	json.SetAlias("JSON");
	types.push_back(json);
	duckdb::vector<LogicalType> arrived;
	worker->fetch = [&](const FetchRequest &, const duckdb::vector<LogicalType> &asked) {
		arrived = asked;
		return std::make_shared<ScriptedSource>(asked, [](ScriptedSource &, idx_t, DataChunk &) {});
	};
	EXPECT_TRUE(ReadAll(*Connect()->Fetch(sample, types)).empty());
	ASSERT_EQ(worker->Fetches().size(), 1U);
	EXPECT_TRUE(worker->Fetches()[0] == sample);
	EXPECT_EQ(arrived, types);
	EXPECT_EQ(arrived.back().GetAlias(), "JSON");
}

TEST_P(TransportOutputs, RowsArriveInOrder) {
	ExpectArrives("SELECT i, 's' || i AS s FROM range(0) t(i)");
	ExpectArrives("SELECT i, 's' || i AS s FROM range(1) t(i)");
	ExpectArrives("SELECT i, 's' || i AS s FROM range(3000) t(i)");
	// exactly one batch of the transport, one row more, and many
	ExpectArrives("SELECT i FROM range(65536) t(i)");
	ExpectArrives("SELECT i FROM range(65537) t(i)");
	ExpectArrives("SELECT i, CASE WHEN i % 5 = 0 THEN NULL ELSE 's' || i END AS s FROM range(400001) t(i)");
}

TEST_P(TransportOutputs, EveryTypeArrives) {
	ExpectArrives("SELECT * FROM test_all_types()");
	ExpectArrives("SELECT [t, NULL, t] FROM test_all_types() t");
	ExpectArrives("SELECT i, t FROM range(1000) r(i), test_all_types() t ORDER BY ALL");
	ExpectArrives("SELECT i, repeat(chr(97 + i::INT), 5000000) AS s FROM range(12) t(i)");
}

TEST_P(TransportOutputs, RowsWithoutColumnsArrive) {
	auto script = [](ScriptedSource &, idx_t number, DataChunk &chunk) {
		chunk.SetCardinality(number < MANY_CHUNKS ? STANDARD_VECTOR_SIZE : 0);
	};
	Serve(std::make_shared<ScriptedSource>(duckdb::vector<LogicalType>(), script));
	EXPECT_EQ(ReadAll(*Connect()->Fetch(MakeFetch(), {})).size(), MANY_CHUNKS * STANDARD_VECTOR_SIZE);
}

TEST_P(TransportOutputs, MissingOutputIsAnIOException) {
	worker->fetch = [](const FetchRequest &, const duckdb::vector<LogicalType> &) -> ScriptedWorker::Feed {
		throw duckdb::IOException("the output of task 0 is gone");
	};
	auto channel = Connect();
	auto error = ErrorOf([&] { ReadAll(*channel->Fetch(MakeFetch(), NumberTypes())); });
	ExpectError(error, ExceptionType::IO, AtWorker("the output of task 0 is gone"));
	Serve(NumbersThen(1, [](ScriptedSource &) {}));
	EXPECT_EQ(ReadAll(*channel->Fetch(MakeFetch(), NumberTypes())).size(), STANDARD_VECTOR_SIZE);
}

TEST_P(TransportOutputs, ErrorInTheMiddleKeepsItsClass) {
	auto channel = Connect();
	auto expect_error = [&](ExceptionType type, ExceptionType arrives, std::vector<std::string> texts) {
		Serve(NumbersThen(MANY_CHUNKS, [=](ScriptedSource &) { throw duckdb::Exception(type, "it broke"); }));
		auto output = channel->Fetch(MakeFetch(), NumberTypes());
		ExpectError(ReadToError(*output), arrives, texts);
	};
	for (auto type : {ExceptionType::CONVERSION, ExceptionType::OUT_OF_RANGE, ExceptionType::IO,
	                  ExceptionType::OUT_OF_MEMORY, ExceptionType::INVALID_INPUT, ExceptionType::INTERRUPT}) {
		expect_error(type, type, AtWorker("it broke"));
	}
	if (IsFlight()) {
		// would shut down the database of the session
		expect_error(ExceptionType::FATAL, ExceptionType::IO, {"it broke", "FATAL"});
		expect_error(ExceptionType::INTERNAL, ExceptionType::IO, {"it broke", "INTERNAL"});
	}
}

TEST_P(TransportOutputs, ErrorInTheFirstRowsKeepsItsClass) {
	Serve(NumbersThen(0, [](ScriptedSource &) { throw duckdb::ConversionException("it broke"); }));
	auto error = ErrorOf([&] { ReadToError(*Connect()->Fetch(MakeFetch(), NumberTypes())).Throw(); });
	ExpectError(error, ExceptionType::CONVERSION, AtWorker("it broke"));
}

TEST_P(TransportOutputs, CancelWakesReaderThatWaits) {
	auto served = NumbersThen(MANY_CHUNKS, [](ScriptedSource &source) { source.BlockUntilCancelled(); });
	Serve(served);
	auto output = Connect()->Fetch(MakeFetch(), NumberTypes());
	auto reading = std::async(std::launch::async, [&] { return ReadToError(*output); });
	EXPECT_TRUE(served->blocked.Wait());
	// from now on no further row comes
	output->Cancel();
	output->Cancel();
	ExpectError(reading.get(), ExceptionType::INTERRUPT);
	// the worker's own thread, which nobody can wake through Flight: its outputs never wait in reality
	served->Cancel();
}

TEST_P(TransportOutputs, CancelEndsOutputThatIsRead) {
	Serve(NumbersThen(MANY_CHUNKS * 100, [](ScriptedSource &) {}));
	auto output = Connect()->Fetch(MakeFetch(), NumberTypes());
	auto reader = output->OpenReader();
	output->Cancel();
	NumberedRows rows;
	ExpectError(ErrorOf([&] { ReadOn(*reader, NumberTypes(), rows); }), ExceptionType::INTERRUPT);
	EXPECT_LE(rows.size(), 65536U) << "rows came long after the cancel";
}

TEST_P(TransportOutputs, OutputMayBeLeftInTheMiddle) {
	// 160 MB, more than what is on the way
	auto served = NumbersThen(MANY_CHUNKS * 100, [](ScriptedSource &) {});
	auto gone = std::make_shared<Signal>();
	served->gone = gone;
	Serve(served);
	served.reset();
	auto channel = Connect();
	{
		auto output = channel->Fetch(MakeFetch(), NumberTypes());
		auto reader = output->OpenReader();
		DataChunk chunk;
		chunk.Initialize(duckdb::Allocator::DefaultAllocator(), NumberTypes());
		reader->Next(chunk);
		EXPECT_EQ(chunk.size(), STANDARD_VECTOR_SIZE);
	}
	worker->fetch = nullptr;
	EXPECT_TRUE(gone->Wait()) << "the worker still sends to nobody";
	EXPECT_EQ(channel->GetInfo().address.id, "w1");
}

INSTANTIATE_TEST_SUITE_P(Over, TransportOutputs, BothTransports(), TransportName);

} // namespace
} // namespace duckherder
