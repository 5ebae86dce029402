#include "main/node_commands.hpp"
#include "main/prepare_process.hpp"
#include "seeded_faults.hpp"
#include "worker/worker_node.hpp"

#include "duckdb.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>
#include <unistd.h>

//! `duckherder worker` with faults. $DUCKHERDER_FAULT_SEED is for SeededFaults. And there may be a point at which a
//! test makes something go wrong: a task stops there, says so, and goes on when it is told to. $DUCKHERDER_FAULT_POINT
//! is "begin STAGE DIRECTORY" (before a task of that stage runs) or "end STAGE DIRECTORY" (after it ran, before anybody
//! knows). Only the first attempt of a task that comes by stops: it makes the file DIRECTORY/reached, and waits for
//! DIRECTORY/go. $DUCKHERDER_POISON is "once DIRECTORY" or "always DIRECTORY": a task that comes by while DIRECTORY/go
//! exists makes its worker's database invalid by a fatal error, the first one only or each.
namespace duckherder {
namespace {

constexpr auto LOOK_INTERVAL = std::chrono::milliseconds(2);
constexpr auto WAIT_MAX = std::chrono::seconds(120);

bool Exists(const std::string &path) {
	return access(path.c_str(), F_OK) == 0;
}

//! Empty if it is not set
std::string Variable(const char *name) {
	auto text = std::getenv(name);
	return text ? text : "";
}

class FaultPoint {
public:
	FaultPoint() {
		auto text = Variable("DUCKHERDER_FAULT_POINT");
		std::istringstream words(text);
		if (!text.empty() && !(words >> when >> stage >> directory)) {
			throw duckdb::InvalidInputException("DUCKHERDER_FAULT_POINT is '%s'", text);
		}
	}

	void Pass(const char *now, const TaskRequest &request) {
		if (when != now || request.stage_id != stage || request.attempt > 0) {
			return;
		}
		// all workers have the same point; one of them stops
		std::ofstream draft(directory + "/" + std::to_string(getpid()));
		draft << request.worker_id << std::endl;
		auto name = directory + "/" + std::to_string(getpid());
		if (link(name.c_str(), (directory + "/reached").c_str()) != 0) {
			return;
		}
		auto deadline = std::chrono::steady_clock::now() + WAIT_MAX;
		while (!Exists(directory + "/go") && std::chrono::steady_clock::now() < deadline) {
			std::this_thread::sleep_for(LOOK_INTERVAL);
		}
	}

private:
	std::string when;
	StageId stage = 0;
	std::string directory;
};

class Poison {
public:
	explicit Poison(duckdb::DuckDB &db_p) : db(db_p) {
		auto text = Variable("DUCKHERDER_POISON");
		std::istringstream words(text);
		if (!text.empty() && !(words >> how >> directory)) {
			throw duckdb::InvalidInputException("DUCKHERDER_POISON is '%s'", text);
		}
	}

	//! Whether the task that comes by breaks the database, which it then has
	bool Pass(const TaskRequest &request) {
		if (how.empty() || !Exists(directory + "/go") || !IsMine(request.worker_id)) {
			return false;
		}
		duckdb::Connection connection(db);
		try {
			connection.context->RunFunctionInTransaction([] { throw duckdb::FatalException(REASON); });
		} catch (std::exception &) {
			// as wanted
		}
		return true;
	}

	static constexpr const char *REASON = "poisoned by a test";

private:
	bool IsMine(const WorkerId &id) {
		if (how == "always") {
			return true;
		}
		auto name = directory + "/" + std::to_string(getpid());
		std::ofstream(name) << id << std::endl;
		return link(name.c_str(), (directory + "/poisoned").c_str()) == 0;
	}

	duckdb::DuckDB &db;
	std::string how;
	std::string directory;
};

class FaultyWorker : public WorkerService, public AttemptControl {
public:
	FaultyWorker(std::shared_ptr<WorkerNode> worker_p, duckdb::DuckDB &db)
	    : worker(std::move(worker_p)), poison(db), faults(Variable("DUCKHERDER_FAULT_SEED")) {
	}

	TaskResult RunTask(const TaskRequest &request, std::shared_ptr<ChunkSource> feed) override {
		point.Pass("begin", request);
		if (poison.Pass(request)) {
			auto broken = worker->RunTask(request, std::move(feed));
			broken.error.breaks_worker = true;
			broken.error.message = Poison::REASON;
			return broken;
		}
		auto result = faults.RunTask(*worker, request, std::move(feed));
		point.Pass("end", request);
		return result;
	}
	std::shared_ptr<ChunkSource> Fetch(const FetchRequest &request,
	                                   const duckdb::vector<duckdb::LogicalType> &types) override {
		return faults.Fetch(*worker, request, types);
	}
	void CancelQuery(const QueryId &query_id) override {
		worker->CancelQuery(query_id);
	}
	void RenewLease(const QueryId &query_id, const std::vector<std::string> &lost_locations) override {
		worker->RenewLease(query_id, lost_locations);
	}
	WorkerInfo GetInfo() override {
		return worker->GetInfo();
	}
	void LoadExtension(const std::string &name) override {
		worker->LoadExtension(name);
	}
	void Drain() override {
		worker->Drain();
	}
	void StopAttempt(const TaskRequest &request) override {
		worker->StopAttempt(request);
	}

private:
	std::shared_ptr<WorkerNode> worker;
	FaultPoint point;
	Poison poison;
	SeededFaults faults;
};

int Run(const std::vector<std::string> &words) {
	try {
		return RunWorker(words, [](std::shared_ptr<WorkerNode> worker, duckdb::DuckDB &db) {
			return std::make_shared<FaultyWorker>(std::move(worker), db);
		});
	} catch (std::exception &error) {
		std::cerr << "faulty_worker: " << duckdb::ErrorData(error).Message() << std::endl;
		return 1;
	}
}

} // namespace
} // namespace duckherder

int main(int argc, char **argv) {
	duckherder::PrepareProcess();
	auto code = duckherder::Run(std::vector<std::string>(argv + 1, argv + argc));
	std::cout.flush();
	// as in the real program
	_exit(code);
}
