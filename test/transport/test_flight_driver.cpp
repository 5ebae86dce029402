#include "sample_messages.hpp"
#include "transports.hpp"

//! The driver behind a Flight node
namespace duckherder {
namespace {

using duckdb::ExceptionType;

//! Remembers what it was asked, and answers with what it was given
class ScriptedDriver : public DriverService {
public:
	void RegisterWorker(const WorkerInfo &info) override {
		registered.push_back(info);
		if (refuses) {
			throw duckdb::InvalidInputException("worker w1 runs DuckDB v9.9.9");
		}
	}
	bool Heartbeat(const WorkerInfo &info) override {
		beats.push_back(info);
		return knows;
	}
	void UnregisterWorker(const WorkerId &id, const std::string &) override {
		unregistered.push_back(id);
	}
	std::vector<WorkerInfo> ListWorkers() override {
		return workers;
	}
	bool AdmitQuery(const QueryId &query, const std::string &session, uint64_t wait_ms) override {
		admissions.push_back(query + " of " + session + " " + std::to_string(wait_ms));
		if (refuses) {
			throw duckdb::ConnectionException("Too many queries");
		}
		return knows;
	}
	std::vector<QueryId> RenewLeases(const std::vector<QueryId> &queries) override {
		kept.insert(kept.end(), queries.begin(), queries.end());
		return killed;
	}
	void ReleaseQuery(const QueryId &query) override {
		released.push_back(query);
	}

	void ReportQueries(const std::vector<QueryReport> &queries) override {
		reports.insert(reports.end(), queries.begin(), queries.end());
	}

	std::vector<QueryReport> reports;
	bool refuses = false;
	bool knows = true;
	std::vector<WorkerInfo> workers;
	std::vector<WorkerInfo> registered;
	std::vector<WorkerInfo> beats;
	std::vector<WorkerId> unregistered;
	std::vector<std::string> admissions;
	std::vector<QueryId> kept;
	std::vector<QueryId> killed;
	std::vector<QueryId> released;
};

class FlightDriver : public testing::Test {
protected:
	FlightDriver() {
		node.node->SetDriver(driver);
	}

	TimeLimit limit;
	LoopbackNode node;
	std::shared_ptr<ScriptedDriver> driver = std::make_shared<ScriptedDriver>();
	FlightDriverClient client {node.location, {node.token, ""}};
};

TEST_F(FlightDriver, EveryCallArrives) {
	auto sample = SampleWorkerInfo();
	ExpectAllSet(sample);
	client.RegisterWorker(sample);
	ASSERT_EQ(driver->registered.size(), 1U);
	EXPECT_TRUE(driver->registered[0] == sample);
	EXPECT_TRUE(client.Heartbeat(sample));
	driver->knows = false;
	EXPECT_FALSE(client.Heartbeat(sample));
	ASSERT_EQ(driver->beats.size(), 2U);
	EXPECT_TRUE(driver->beats[1] == sample);
	client.UnregisterWorker("wörker 1", "first");
	EXPECT_EQ(driver->unregistered, std::vector<WorkerId> {"wörker 1"});
}

TEST_F(FlightDriver, WorkersAreListedWithAllTheirFields) {
	EXPECT_TRUE(client.ListWorkers().empty());
	auto silent = SampleWorkerInfo();
	silent.sends_heartbeats = false;
	silent.state = WorkerState::LOST;
	driver->workers = {SampleWorkerInfo(), silent, WorkerInfo()};
	EXPECT_TRUE(client.ListWorkers() == driver->workers);
	driver->workers.assign(1000, SampleWorkerInfo());
	EXPECT_TRUE(client.ListWorkers() == driver->workers);
}

TEST_F(FlightDriver, ReportsOfQueriesArriveWithAllTheirFields) {
	ExpectAllSet(SampleQueryReport());
	client.ReportQueries({SampleQueryReport(), QueryReport()});
	ASSERT_EQ(driver->reports.size(), 2U);
	EXPECT_TRUE(driver->reports[0] == SampleQueryReport());
	EXPECT_TRUE(driver->reports[1] == QueryReport());
}

TEST_F(FlightDriver, QueriesAreAdmittedKeptAndReleased) {
	EXPECT_TRUE(client.AdmitQuery("q1", "s", 0));
	driver->knows = false;
	EXPECT_FALSE(client.AdmitQuery("q2", "s", 1 << 30));
	driver->killed = {"q2"};
	EXPECT_EQ(client.RenewLeases({"q1", "q2"}), driver->killed);
	client.ReleaseQuery("q1");
	EXPECT_EQ(driver->admissions,
	          (std::vector<std::string> {"q1 of s 0", "q2 of s " + std::to_string(limits::ADMISSION_CALL_WAIT_MS)}));
	EXPECT_EQ(driver->kept, (std::vector<QueryId> {"q1", "q2"}));
	EXPECT_EQ(driver->released, (std::vector<QueryId> {"q1"}));
	driver->refuses = true;
	ExpectError(ErrorOf([&] { client.AdmitQuery("q3", "s", 0); }), ExceptionType::CONNECTION, {"Too many queries"});
}

TEST_F(FlightDriver, RefusalKeepsItsClass) {
	driver->refuses = true;
	auto error = ErrorOf([&] { client.RegisterWorker(SampleWorkerInfo()); });
	ExpectError(error, ExceptionType::INVALID_INPUT, {"worker w1 runs DuckDB v9.9.9"});
}

TEST_F(FlightDriver, NodeWithoutDriverIsAClearError) {
	node.node->SetDriver(nullptr);
	ExpectError(ErrorOf([&] { client.ListWorkers(); }), ExceptionType::IO, {"driver"});
	ExpectError(ErrorOf([&] { client.Heartbeat(WorkerInfo()); }), ExceptionType::IO, {"driver"});
	EXPECT_TRUE(driver->beats.empty());
	node.node->SetDriver(driver);
	EXPECT_TRUE(client.ListWorkers().empty());
}

TEST_F(FlightDriver, DriverThatIsGoneIsAnIOException) {
	node.node->Stop();
	ExpectError(ErrorOf([&] { client.Heartbeat(WorkerInfo()); }), ExceptionType::IO, {node.location});
}

} // namespace
} // namespace duckherder
