#include "common/clock.hpp"
#include "cluster/cluster.hpp"
#include "coordinator/dispatch_pool.hpp"
#include "history/query_recorder.hpp"

#include "duckdb.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

//! What several threads of a driver share
namespace duckherder {
namespace {

constexpr int THREADS = 4;
constexpr int ROUNDS = 200;

//! Runs the function on several threads at once, with their numbers
template <class FUNCTION>
void Together(FUNCTION function) {
	std::vector<std::thread> threads;
	for (int i = 0; i < THREADS; i++) {
		threads.emplace_back([&function, i] { function(i); });
	}
	for (auto &thread : threads) {
		thread.join();
	}
}

WorkerInfo Worker(const std::string &id) {
	WorkerInfo info;
	info.address = {id, "grpc://127.0.0.1:1"};
	info.duckdb_version = duckdb::DuckDB::LibraryVersion();
	return info;
}

TEST(DispatchPool, ClosesWhileAJobHoldsIt) {
	// a query's last attempt holds its coordinator, and that the pool, when the database goes
	auto pool = std::make_shared<DispatchPool>();
	std::promise<void> go;
	auto held = std::make_shared<int>(0);
	pool->Submit([pool, held, wait = go.get_future().share()] { wait.wait(); });
	std::thread opener([&] { go.set_value(); });
	pool->Close();
	EXPECT_EQ(held.use_count(), 1);
	EXPECT_EQ(pool.use_count(), 1);
	opener.join();
	pool->Close();
}

TEST(DispatchPool, ClosesWhenJobsOfJobsHaveEnded) {
	std::atomic<int> ended {0};
	DispatchPool pool;
	for (int i = 0; i < ROUNDS; i++) {
		pool.Submit([&] {
			pool.Submit([&] { ended++; });
			ended++;
		});
	}
	pool.Close();
	EXPECT_EQ(ended, 2 * ROUNDS);
}

TEST(DispatchPool, ManySubmit) {
	std::atomic<int> ended {0};
	DispatchPool pool;
	Together([&](int) {
		for (int i = 0; i < ROUNDS; i++) {
			pool.Submit([&] { ended++; });
		}
	});
	pool.Close();
	EXPECT_EQ(ended, THREADS * ROUNDS);
}

TEST(Cluster, AnIdIsTakenOnce) {
	for (int round = 0; round < ROUNDS; round++) {
		Cluster cluster(std::make_shared<SteadyClock>());
		std::atomic<int> refused {0};
		Together([&](int) {
			try {
				cluster.AddWorker(Worker("same"));
			} catch (duckdb::InvalidInputException &) {
				refused++;
			}
		});
		ASSERT_EQ(refused, THREADS - 1) << "round " << round;
	}
}

TEST(Cluster, ChangesWhileItIsListed) {
	Cluster cluster(std::make_shared<SteadyClock>());
	Together([&](int number) {
		auto worker = Worker("worker-" + std::to_string(number));
		for (int i = 0; i < ROUNDS; i++) {
			cluster.RegisterWorker(worker);
			EXPECT_TRUE(cluster.Heartbeat(worker));
			EXPECT_LE(cluster.ListWorkers().size(), static_cast<size_t>(THREADS + 1));
			cluster.ReplaceBorrowed({Worker("borrowed")});
			EXPECT_TRUE(cluster.RemoveWorker(worker.address.id));
		}
	});
	EXPECT_EQ(cluster.ActiveWorkers().size(), 1U);
}

TEST(QueryRecorder, IsReadWhileQueriesRun) {
	QueryRecorder recorder;
	Together([&](int) {
		for (int i = 0; i < ROUNDS; i++) {
			auto entry = recorder.Begin(QueryRecord());
			recorder.Update(entry, [](QueryRecord &query) { query.tasks.emplace_back(); });
			recorder.Snapshot();
			recorder.Update(entry, [](QueryRecord &query) { query.state = "SUCCEEDED"; });
			recorder.Clear();
		}
	});
	recorder.Clear();
	EXPECT_TRUE(recorder.Snapshot().empty());
}

} // namespace
} // namespace duckherder
