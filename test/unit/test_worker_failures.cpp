#include "unit/test_worker_harness.hpp"
#include "worker/renewed_worker.hpp"

#include <chrono>
#include <condition_variable>
#include <future>
#include <thread>

using namespace duckherder;
using duckdb::LogicalType;
using duckdb::vector;

namespace {

//! The plan of a query over the table function range, which travels by name
std::shared_ptr<const std::string> PlanOf(Session &session, const std::string &sql) {
	return session.Catch(sql).whole;
}

double SecondsSince(std::chrono::steady_clock::time_point start) {
	return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

//! Never has a row, like a driver that is busy; ends when cancelled
class WaitingSource : public ChunkSource {
public:
	const vector<LogicalType> &Types() const override {
		return types;
	}
	duckdb::idx_t MaxReaders() const override {
		return 2;
	}
	std::unique_ptr<ChunkReader> OpenReader() override {
		return std::make_unique<Reader>(*this);
	}
	void Cancel() override {
		std::lock_guard<std::mutex> guard(lock);
		cancelled = true;
		wake.notify_all();
	}

	class Reader : public ChunkReader {
	public:
		explicit Reader(WaitingSource &source_p) : source(source_p) {
		}
		void Next(duckdb::DataChunk &) override {
			std::unique_lock<std::mutex> guard(source.lock);
			source.waiting = true;
			source.wake.wait(guard, [&] { return source.cancelled; });
			throw duckdb::InterruptException();
		}
		duckdb::idx_t BatchIndex() const override {
			return 0;
		}
		WaitingSource &source;
	};

	vector<LogicalType> types {LogicalType::BIGINT};
	std::mutex lock;
	std::condition_variable wake;
	bool cancelled = false;
	std::atomic<bool> waiting {false};
};

//! Rows 0..count-1 for a feed
class CountSource : public ChunkSource {
public:
	explicit CountSource(int64_t count_p) : count(count_p) {
	}
	const vector<LogicalType> &Types() const override {
		return types;
	}
	duckdb::idx_t MaxReaders() const override {
		return 2;
	}
	std::unique_ptr<ChunkReader> OpenReader() override {
		return std::make_unique<Reader>(*this);
	}

	class Reader : public ChunkReader {
	public:
		explicit Reader(CountSource &source_p) : source(source_p) {
		}
		void Next(duckdb::DataChunk &chunk) override {
			auto start = source.next.fetch_add(1000);
			auto size = std::max<int64_t>(0, std::min<int64_t>(1000, source.count - start));
			for (int64_t i = 0; i < size; i++) {
				chunk.SetValue(0, i, duckdb::Value::BIGINT(start + i));
			}
			chunk.SetCardinality(size);
			batch = start;
		}
		duckdb::idx_t BatchIndex() const override {
			return batch;
		}
		CountSource &source;
		duckdb::idx_t batch = 0;
	};

	vector<LogicalType> types {LogicalType::BIGINT};
	int64_t count;
	std::atomic<int64_t> next {0};
};

//! A plan over a table of the session, with a feed in the table's place
std::shared_ptr<const std::string> PlanOverFeed(Session &session, const std::string &sql) {
	auto fragments = session.Catch(sql);
	// the only scan reads stage 0; the same plan with a feed instead
	duckdb::Connection connection(session.db);
	connection.BeginTransaction();
	auto plan = DecodeFragment(*connection.context, *fragments.above_scans);
	std::function<void(duckdb::LogicalOperator &)> to_feed = [&](duckdb::LogicalOperator &op) {
		if (op.type == duckdb::LogicalOperatorType::LOGICAL_EXTENSION_OPERATOR) {
			static_cast<LogicalExchangeScan &>(op).source.is_feed = true;
		}
		for (auto &child : op.children) {
			to_feed(*child);
		}
	};
	to_feed(*plan);
	return std::make_shared<const std::string>(EncodeFragment(*connection.context, *plan));
}

} // namespace

TEST(WorkerFailures, UserErrorsKeepTheirClass) {
	Session session;
	Workers workers(1);
	std::vector<std::pair<std::string, std::string>> cases = {
	    {"SELECT ('x' || i)::INTEGER FROM range(10) t(i)", "Conversion"},
	    {"SELECT 9223372036854775807 + i FROM range(10) t(i)", "Out of Range"},
	    {"SELECT error('boom ' || i) FROM range(10) t(i)", "Invalid Input"},
	};
	for (auto &entry : cases) {
		auto request = MakeRequest(PlanOf(session, entry.first));
		auto result = workers.nodes[0]->RunTask(request, nullptr);
		EXPECT_TRUE(result.failed) << entry.first;
		EXPECT_EQ(result.error.kind, ErrorKind::USER) << entry.first;
		EXPECT_EQ(result.error.exception_type, entry.second) << result.error.message;
		EXPECT_EQ(result.error.worker_id, "w0");
	}
	// and the worker still works
	auto request = MakeRequest(PlanOf(session, "SELECT i FROM range(3) t(i)"));
	auto location = workers.Run(0, request);
	EXPECT_EQ(workers.Read(location, request, 0, {LogicalType::BIGINT}).size(), 3);
}

TEST(WorkerFailures, GarbageIsNotRun) {
	Workers workers(1);
	auto request = MakeRequest(std::make_shared<const std::string>("not a plan"));
	auto result = workers.nodes[0]->RunTask(request, nullptr);
	EXPECT_TRUE(result.failed);
	EXPECT_FALSE(result.error.message.empty());
}

TEST(WorkerFailures, SettingsTravelAndOthersAreRefused) {
	Session session;
	Workers workers(1);
	auto request = MakeRequest(PlanOf(session, "SELECT 1 / i FROM range(1) t(i)"));
	request.settings = {{"ieee_floating_point_ops", "false"}};
	auto location = workers.Run(0, request);
	EXPECT_EQ(workers.Read(location, request, 0, {LogicalType::DOUBLE}), Rows {"NULL"});
	request.task_id = 1;
	request.settings = {{"ieee_floating_point_ops", "true"}};
	location = workers.Run(0, request);
	EXPECT_EQ(workers.Read(location, request, 0, {LogicalType::DOUBLE}), Rows {"inf"});
	request.task_id = 2;
	request.settings = {{"temp_directory", "elsewhere"}};
	EXPECT_TRUE(workers.nodes[0]->RunTask(request, nullptr).failed);
}

TEST(WorkerFailures, TransactionStartIsTheQuerys) {
	Session session;
	Workers workers(1);
	// the optimizer folds now() into a constant of the session's transaction, in EXPRESSION_REWRITER
	session.Run("SET disabled_optimizers = 'late_materialization,expression_rewriter'");
	auto plan = PlanOf(session, "SELECT epoch_us(get_current_timestamp()) + i * 0 FROM range(1) t(i)");
	auto request = MakeRequest(plan);
	request.transaction_start_us = 1234567890123456;
	auto location = workers.Run(0, request);
	EXPECT_EQ(workers.Read(location, request, 0, {LogicalType::BIGINT}), Rows {"1234567890123456"});
}

TEST(WorkerFailures, CancelStopsARunningTask) {
	Session session;
	Workers workers(1);
	auto request =
	    MakeRequest(PlanOf(session, "SELECT count(*) FROM range(1000000) a(i), range(1000000) b(j) WHERE i + j = 3"));
	auto running = std::async(std::launch::async, [&] { return workers.nodes[0]->RunTask(request, nullptr); });
	while (workers.nodes[0]->GetInfo().running_tasks == 0) {
		std::this_thread::yield();
	}
	std::this_thread::sleep_for(std::chrono::milliseconds(100));
	auto start = std::chrono::steady_clock::now();
	workers.nodes[0]->CancelQuery("q1");
	auto result = running.get();
	EXPECT_LT(SecondsSince(start), 0.5);
	EXPECT_TRUE(result.failed);
	EXPECT_EQ(result.error.kind, ErrorKind::CANCELLED);
	EXPECT_EQ(workers.nodes[0]->GetInfo().running_tasks, 0);
	// what comes later does not begin
	auto late = workers.nodes[0]->RunTask(request, nullptr);
	EXPECT_TRUE(late.failed);
	EXPECT_EQ(late.error.kind, ErrorKind::CANCELLED);
	// other queries do
	auto other = MakeRequest(PlanOf(session, "SELECT i FROM range(3) t(i)"));
	other.query_id = "q2";
	workers.Run(0, other);
}

TEST(WorkerFailures, CancelAtAnyMoment) {
	Session session;
	Workers workers(1);
	auto plan = PlanOf(session, "SELECT i % 10, count(*) FROM range(100000) t(i) GROUP BY ALL");
	for (int i = 0; i < 300; i++) {
		auto request = MakeRequest(plan);
		request.query_id = "cancel-" + std::to_string(i);
		auto running = std::async(std::launch::async, [&] { return workers.nodes[0]->RunTask(request, nullptr); });
		std::this_thread::sleep_for(std::chrono::microseconds(i * 7));
		workers.nodes[0]->CancelQuery(request.query_id);
		auto result = running.get();
		EXPECT_TRUE(!result.failed || result.error.kind == ErrorKind::CANCELLED) << result.error.message;
		FetchRequest fetch;
		fetch.query_id = request.query_id;
		EXPECT_THROW(workers.nodes[0]->Fetch(fetch, {LogicalType::BIGINT, LogicalType::BIGINT}), duckdb::IOException);
	}
}

TEST(WorkerFailures, CancelWakesTasksThatWaitForAFeed) {
	Session session;
	session.Run("CREATE TABLE t (i BIGINT)");
	Workers workers(1);
	auto request = MakeRequest(PlanOverFeed(session, "SELECT sum(i) FROM t"));
	request.split.fed = true;
	auto feed = std::make_shared<WaitingSource>();
	auto running = std::async(std::launch::async, [&] { return workers.nodes[0]->RunTask(request, feed); });
	while (!feed->waiting) {
		std::this_thread::yield();
	}
	auto start = std::chrono::steady_clock::now();
	workers.nodes[0]->CancelQuery("q1");
	auto result = running.get();
	EXPECT_LT(SecondsSince(start), 0.5);
	EXPECT_EQ(result.error.kind, ErrorKind::CANCELLED);
}

TEST(WorkerFailures, DestructionCancelsAndWaits) {
	Session session;
	session.Run("CREATE TABLE t (i BIGINT)");
	auto request = MakeRequest(PlanOverFeed(session, "SELECT sum(i) FROM t"));
	request.split.fed = true;
	auto feed = std::make_shared<WaitingSource>();
	auto node = std::make_shared<WorkerNode>(WorkerAddress {"w", "inproc"}, OpenWorkerDatabase({}),
	                                         std::make_shared<NodeMap>());
	auto raw = node.get();
	auto running = std::async(std::launch::async, [&] { return raw->RunTask(request, feed); });
	while (!feed->waiting) {
		std::this_thread::yield();
	}
	node.reset();
	EXPECT_EQ(running.get().error.kind, ErrorKind::CANCELLED);
}

TEST(WorkerFailures, FeedsAreReadAndCounted) {
	Session session;
	session.Run("CREATE TABLE t (i BIGINT)");
	Workers workers(1);
	auto request = MakeRequest(PlanOverFeed(session, "SELECT i FROM t"));
	request.split.fed = true;
	auto result = workers.nodes[0]->RunTask(request, std::make_shared<CountSource>(54321));
	ASSERT_FALSE(result.failed) << result.error.message;
	EXPECT_EQ(result.input_rows, 54321);
	EXPECT_EQ(result.Rows(), 54321);
	Rows expected;
	for (int i = 0; i < 54321; i++) {
		expected.push_back(std::to_string(i));
	}
	EXPECT_TRUE(workers.Read({0, 0, {"w0", "inproc"}, nullptr}, request, 0, {LogicalType::BIGINT}) == expected);

	request.task_id = 1;
	auto without = workers.nodes[0]->RunTask(request, nullptr);
	EXPECT_TRUE(without.failed);
}

TEST(WorkerFailures, LostInputsAreNamed) {
	Session session;
	session.Run("CREATE TABLE t AS SELECT i FROM range(10) r(i)");
	Workers workers(2);
	auto fragments = session.Catch("SELECT sum(i) FROM t");
	auto produce = MakeRequest(PlanOf(session, "SELECT i FROM range(10) r(i)"));
	StageInput input;
	input.kind = ExchangeKind::GATHER;
	input.outputs = {workers.Run(0, produce)};
	produce.task_id = 1;
	input.outputs.push_back(workers.Run(1, produce));

	auto consume = MakeRequest(fragments.above_scans, 1);
	// as a driver asks: who does not know that an output is its own opens both at once, and either may be missed first
	consume.worker_id = "w0";
	consume.inputs = Inputs({input});
	auto location = workers.Run(0, consume);
	EXPECT_EQ(workers.Read(location, consume, 0, {LogicalType::HUGEINT}), Rows {"90"});

	// an output that its worker does not have
	consume.attempt = 1;
	auto missing = input;
	missing.outputs[1].attempt = 7;
	consume.inputs = Inputs({missing});
	auto result = workers.nodes[0]->RunTask(consume, nullptr);
	EXPECT_EQ(result.error.kind, ErrorKind::LOST_INPUT);
	EXPECT_EQ(result.error.lost_worker, "w1");
	consume.attempt = 2;
	missing.outputs[0].attempt = 7;
	consume.inputs = Inputs({missing});
	result = workers.nodes[0]->RunTask(consume, nullptr);
	EXPECT_EQ(result.error.kind, ErrorKind::LOST_INPUT);
	EXPECT_EQ(result.error.lost_worker, "w0");

	// a worker that is gone
	consume.attempt = 3;
	consume.inputs = Inputs({input});
	workers.connector->nodes.erase("w1");
	result = workers.nodes[0]->RunTask(consume, nullptr);
	EXPECT_EQ(result.error.kind, ErrorKind::LOST_INPUT);
	EXPECT_EQ(result.error.lost_worker, "w1");
	EXPECT_EQ(result.error.worker_id, "w0");
}

class ManualClock : public Clock {
public:
	uint64_t NowUs() const override {
		return now_ms * 1000;
	}
	std::atomic<uint64_t> now_ms {1000};
};

TEST(WorkerFailures, OutputsStayAsLongAsSomebodyAsksForTheirQuery) {
	Session session;
	auto clock = std::make_shared<ManualClock>();
	WorkerNodeOptions options;
	options.clock = clock;
	options.lease_timeout_ms = 10000;
	WorkerDatabaseOptions database;
	database.threads = 1;
	WorkerNode node({"w0", "inproc"}, OpenWorkerDatabase(database), std::make_shared<NodeMap>(), options);
	auto kept = MakeRequest(PlanOf(session, "SELECT i FROM range(10) r(i)"));
	auto read = kept;
	read.query_id = "read";
	auto left = kept;
	left.query_id = "left";
	FetchRequest fetch;
	for (auto &request : {kept, read, left}) {
		ASSERT_FALSE(node.RunTask(request, nullptr).failed);
	}
	auto fetch_of = [&](const TaskRequest &request) {
		fetch.query_id = request.query_id;
		return node.Fetch(fetch, {LogicalType::BIGINT});
	};
	auto reader = fetch_of(left);
	for (auto step = 0; step < 5; step++) {
		clock->now_ms += 4000;
		node.RenewLease(kept.query_id, {});
		node.RenewLease("never seen", {"grpc://elsewhere:1"});
		fetch_of(read);
		node.DropExpired();
	}
	EXPECT_EQ(ReadAll(*fetch_of(kept)).size(), 10U);
	EXPECT_EQ(ReadAll(*fetch_of(read)).size(), 10U);
	EXPECT_THROW(fetch_of(left), duckdb::IOException);
	EXPECT_EQ(ReadAll(*reader).size(), 10U) << "who reads it goes on";
	EXPECT_FALSE(node.Idle());
	// tasks of the query may come again: its session was only silent
	left.attempt = 1;
	EXPECT_FALSE(node.RunTask(left, nullptr).failed);
	clock->now_ms += 10001;
	node.DropExpired();
	EXPECT_TRUE(node.Idle());
}

//! As after a fatal error of any query
static void Break(duckdb::DuckDB &db) {
	duckdb::Connection connection(db);
	EXPECT_THROW(connection.context->RunFunctionInTransaction([] { throw duckdb::FatalException("broken by a test"); }),
	             duckdb::FatalException);
}

TEST(WorkerFailures, ABrokenDatabaseTakesNothingMore) {
	Session session;
	Workers workers(1);
	auto request = MakeRequest(PlanOf(session, "SELECT i FROM range(3) t(i)"));
	workers.Run(0, request);
	EXPECT_FALSE(workers.nodes[0]->Broken());
	Break(*workers.databases[0]);
	EXPECT_TRUE(workers.nodes[0]->Broken());
	EXPECT_EQ(workers.nodes[0]->BrokenBy(), "broken by a test");
	EXPECT_EQ(workers.nodes[0]->GetInfo().state, WorkerState::BROKEN);
	auto refused = workers.nodes[0]->RunTask(request, nullptr);
	EXPECT_TRUE(refused.failed);
	EXPECT_EQ(refused.error.kind, ErrorKind::BROKEN);
	EXPECT_FALSE(refused.error.breaks_worker);
}

TEST(WorkerFailures, ATaskThatWasRunningWhenTheDatabaseBrokeDidNotBreakIt) {
	Session session;
	Workers workers(1);
	auto slow =
	    MakeRequest(PlanOf(session, "SELECT count(*) FROM range(30000) a(i), range(30000) b(j) WHERE i + j = 3"));
	auto running = std::async(std::launch::async, [&] { return workers.nodes[0]->RunTask(slow, nullptr); });
	while (workers.nodes[0]->GetInfo().running_tasks == 0) {
		std::this_thread::yield();
	}
	Break(*workers.databases[0]);
	auto result = running.get();
	EXPECT_FALSE(result.failed && result.error.breaks_worker) << result.error.message;
}

TEST(WorkerFailures, AnotherDatabaseTakesThePlaceOfABrokenOne) {
	Session session;
	std::vector<std::shared_ptr<duckdb::DuckDB>> databases;
	RenewedWorker worker([&] {
		databases.push_back(OpenWorkerDatabase(Workers::DefaultOptions()));
		return std::make_shared<WorkerNode>(WorkerAddress {"w0", "inproc"}, databases.back(),
		                                    std::make_shared<NodeMap>());
	});
	auto request = MakeRequest(PlanOf(session, "SELECT i FROM range(3) t(i)"));
	ASSERT_FALSE(worker.RunTask(request, nullptr).failed);
	auto first = worker.GetInfo();
	Break(*databases[0]);
	auto second = worker.GetInfo();
	EXPECT_EQ(second.state, WorkerState::ACTIVE);
	EXPECT_NE(second.incarnation, first.incarnation);
	EXPECT_EQ(databases.size(), 2U);
	FetchRequest fetch;
	fetch.query_id = request.query_id;
	EXPECT_THROW(worker.Fetch(fetch, {LogicalType::BIGINT}), duckdb::IOException) << "its outputs went with it";
	request.attempt = 1;
	request.worker_incarnation = first.incarnation;
	EXPECT_EQ(worker.RunTask(request, nullptr).error.kind, ErrorKind::REPLACED) << "it is meant for the former one";
	request.worker_incarnation = second.incarnation;
	EXPECT_FALSE(worker.RunTask(request, nullptr).failed);
}

TEST(WorkerFailures, AProcessAtItsMemoryLimitTakesNoTasks) {
	Session session;
	Workers workers(1);
	auto slow =
	    MakeRequest(PlanOf(session, "SELECT count(*) FROM range(1000000) a(i), range(1000000) b(j) WHERE i + j = 3"));
	auto running = std::async(std::launch::async, [&] { return workers.nodes[0]->RunTask(slow, nullptr); });
	auto ended = [&] { return running.wait_for(std::chrono::milliseconds(10)) == std::future_status::ready; };
	while (workers.nodes[0]->GetInfo().running_tasks == 0 && !ended()) {
		// A task that comes when the limit is reached already would be refused.
	}
	do {
		workers.nodes[0]->RelieveMemory("the limit is 300 MB");
	} while (!ended());
	auto result = running.get();
	EXPECT_EQ(result.error.kind, ErrorKind::WORKER_FAILURE);
	EXPECT_EQ(result.error.exception_type, "Out of Memory");
	EXPECT_EQ(result.error.message, "the limit is 300 MB");
	auto request = MakeRequest(PlanOf(session, "SELECT i FROM range(3) t(i)"), 0, 1);
	EXPECT_EQ(workers.nodes[0]->RunTask(request, nullptr).error.kind, ErrorKind::OVERLOADED);
	workers.nodes[0]->RelieveMemory("");
	EXPECT_FALSE(workers.nodes[0]->RunTask(request, nullptr).failed);
}

TEST(WorkerFailures, BroadcastAndOneExchangeScannedTwice) {
	Session session;
	session.Run("CREATE TABLE a AS SELECT i FROM range(1000) r(i)");
	session.Run("CREATE TABLE b AS SELECT i, 'text ' || i AS s FROM range(100) r(i)");
	Workers workers(2);
	auto sql = "SELECT a.i, b.s FROM a JOIN b ON a.i % 100 = b.i";
	auto fragments = session.Catch(sql);
	ASSERT_EQ(fragments.scans.size(), 2);
	std::vector<std::string> sources = {"SELECT i FROM range(1000) r(i)",
	                                    "SELECT i, 'text ' || i FROM range(100) r(i)"};
	auto shipped = [&](const std::string &source, StageId stage) {
		StageInput input;
		input.stage = stage;
		input.kind = ExchangeKind::BROADCAST;
		auto request = MakeRequest(PlanOf(session, source), stage);
		request.output.kind = ExchangeKind::BROADCAST;
		input.outputs = {workers.Run(stage % 2, request)};
		return input;
	};
	auto probe = shipped(sources[0], 0);
	auto build = shipped(sources[1], 1);
	for (TaskId task = 0; task < 3; task++) {
		auto request = MakeRequest(fragments.above_scans, 2, task);
		request.split.part = PartitionSplit {task, 1, {}};
		request.inputs = Inputs({probe, build});
		auto location = workers.Run(task % 2, request);
		EXPECT_EQ(Sorted(workers.Read(location, request, 0, {LogicalType::BIGINT, LogicalType::VARCHAR})),
		          Sorted(session.Query(sql)));
	}
}

TEST(WorkerFailures, SmallTasksAreCheap) {
	Session session;
	Workers workers(1);
	auto plan = PlanOf(session, "SELECT i + 1 FROM range(10) t(i)");
	auto request = MakeRequest(plan);
	request.settings = {{"default_null_order", "nulls_last"}, {"preserve_insertion_order", "true"}};
	workers.Run(0, request);
	auto start = std::chrono::steady_clock::now();
	const int count = 500;
	for (int i = 0; i < count; i++) {
		request.task_id = TaskId(i + 1);
		workers.Run(0, request);
	}
	auto micros = SecondsSince(start) * 1e6 / count;
	std::cerr << micros << " us per task\n";
	EXPECT_LT(micros, 5000);
}
