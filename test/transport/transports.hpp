#pragma once

#include "common/limits.hpp"
#include "scripted_worker.hpp"
#include "transport/flight/flight_connector.hpp"
#include "transport/node/flight_node.hpp"
#include "transport/in_process/in_process_registry.hpp"
#include "transport/credentials/token.hpp"

#include "duckdb/common/error_data.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <source_location>
#include <string>
#include <thread>

namespace duckherder {

//! Ends the program if a test hangs: a thread that is stuck inside the transport cannot be ended in another way.
class TimeLimit {
public:
	explicit TimeLimit(std::chrono::seconds limit = std::chrono::seconds(100 * SLOWDOWN)) {
		thread = std::thread([this, limit] {
			if (!done.Wait(limit)) {
				auto test = testing::UnitTest::GetInstance()->current_test_info();
				fprintf(stderr, "%s.%s hangs\n", test->test_suite_name(), test->name());
				std::abort();
			}
		});
	}
	~TimeLimit() {
		done.Set();
		thread.join();
	}

private:
	Signal done;
	std::thread thread;
};

//! The DuckDB error that a call ends with; HasError() is false if it throws nothing
template <class FUNCTION>
duckdb::ErrorData ErrorOf(FUNCTION call) {
	try {
		call();
	} catch (std::exception &error) {
		return duckdb::ErrorData(error);
	}
	return duckdb::ErrorData();
}

inline void ExpectError(const duckdb::ErrorData &error, duckdb::ExceptionType type,
                        const std::vector<std::string> &texts = {},
                        std::source_location where = std::source_location::current()) {
	testing::ScopedTrace trace(where.file_name(), static_cast<int>(where.line()), "");
	ASSERT_TRUE(error.HasError()) << "nothing was thrown";
	EXPECT_EQ(duckdb::Exception::ExceptionTypeToString(error.Type()), duckdb::Exception::ExceptionTypeToString(type))
	    << error.Message();
	for (auto &text : texts) {
		EXPECT_NE(error.RawMessage().find(text), std::string::npos) << "'" << text << "' in: " << error.RawMessage();
	}
}

inline void ExpectFailure(const TaskResult &result, ErrorKind kind, duckdb::ExceptionType type,
                          const std::vector<std::string> &texts = {},
                          std::source_location where = std::source_location::current()) {
	testing::ScopedTrace trace(where.file_name(), static_cast<int>(where.line()), "");
	ASSERT_TRUE(result.failed);
	EXPECT_EQ(static_cast<int>(result.error.kind), static_cast<int>(kind)) << result.error.message;
	EXPECT_EQ(result.error.worker_id, "w1");
	EXPECT_EQ(result.error.exception_type, duckdb::Exception::ExceptionTypeToString(type)) << result.error.message;
	for (auto &text : texts) {
		EXPECT_NE(result.error.message.find(text), std::string::npos)
		    << "'" << text << "' in: " << result.error.message;
	}
}

inline const duckdb::vector<duckdb::LogicalType> &NumberTypes() {
	static const duckdb::vector<duckdb::LogicalType> types {duckdb::LogicalType::BIGINT};
	return types;
}

inline TaskRequest MakeRequest(bool fed = false) {
	TaskRequest request;
	request.query_id = "query-1";
	request.task_id = 7;
	request.attempt = 2;
	request.worker_id = "w1";
	request.fragment = std::make_shared<const std::string>("a plan");
	request.split.fed = fed;
	// a transport that has to fetch outputs asks for the small ones itself
	request.inline_bytes_max = limits::INLINE_OUTPUT_BYTES_MAX;
	return request;
}

inline FetchRequest MakeFetch() {
	FetchRequest request;
	request.query_id = "query-1";
	request.worker_id = "w1";
	return request;
}

//! A port of this process with the workers w1 and w2
class LoopbackNode {
public:
	explicit LoopbackNode(FlightNodeOptions options = {}) : token(options.token.empty() ? MakeToken() : options.token) {
		options.token = token;
		node = std::make_unique<FlightNode>(options);
		node->AddWorker("w1", worker);
		node->AddWorker("w2", other);
		location = node->Start();
	}

	WorkerAddress Address() const {
		return {"w1", location};
	}
	std::shared_ptr<WorkerConnector> MakeConnector(const std::string &tls_roots = "") const {
		return std::make_shared<FlightConnector>(FlightClientSettings {token, tls_roots});
	}
	std::shared_ptr<WorkerService> Connect() const {
		return MakeConnector()->Connect(Address());
	}

	const std::string token;
	std::shared_ptr<ScriptedWorker> worker = std::make_shared<ScriptedWorker>("w1");
	std::shared_ptr<ScriptedWorker> other = std::make_shared<ScriptedWorker>("w2");
	std::unique_ptr<FlightNode> node;
	std::string location;
};

enum class TransportKind { IN_PROCESS, FLIGHT };

//! The worker w1 behind either transport. Each suite derives its own class and is instantiated with BothTransports.
class TransportTest : public testing::TestWithParam<TransportKind> {
protected:
	TransportTest() {
		std::shared_ptr<WorkerConnector> remote;
		if (IsFlight()) {
			loopback = std::make_unique<LoopbackNode>();
			worker = loopback->worker;
			address = loopback->Address();
			remote = loopback->MakeConnector();
		} else {
			worker = std::make_shared<ScriptedWorker>("w1");
			address = {"w1", IN_PROCESS_LOCATION};
			registry->Register("w1", worker);
		}
		connector = std::make_shared<LocalFirstConnector>(registry, remote);
	}

	static bool IsFlight() {
		return GetParam() == TransportKind::FLIGHT;
	}
	std::shared_ptr<WorkerService> Connect() {
		return connector->Connect(address);
	}
	//! How errors say where they happened. In this process they are the worker's own exceptions, as they are.
	static std::vector<std::string> AtWorker(const std::string &text) {
		return IsFlight() ? std::vector<std::string> {text, "(on worker w1)"} : std::vector<std::string> {text};
	}

	TimeLimit limit;
	std::shared_ptr<InProcessRegistry> registry = std::make_shared<InProcessRegistry>();
	std::unique_ptr<LoopbackNode> loopback;
	std::shared_ptr<ScriptedWorker> worker;
	WorkerAddress address;
	std::shared_ptr<WorkerConnector> connector;
};

inline auto BothTransports() {
	return testing::Values(TransportKind::IN_PROCESS, TransportKind::FLIGHT);
}

inline std::string TransportName(const testing::TestParamInfo<TransportKind> &info) {
	return info.param == TransportKind::FLIGHT ? "Flight" : "InProcess";
}

} // namespace duckherder
