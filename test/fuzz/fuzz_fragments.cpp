#include "compat/names.hpp"
#include "fuzz/fuzz_target.hpp"

#include "engine/fragment.hpp"
#include "worker/worker_database.hpp"

namespace duckherder::fuzz {

namespace {

//! One aggregate above a join with statistics, one scan, one without tables
constexpr const char *QUERIES[] = {"SELECT s, count(*) FROM t JOIN u USING (i) GROUP BY s",
                                   "SELECT i, s FROM t WHERE i > 3", "SELECT * FROM range(10) ORDER BY 1"};

struct Fragment {
	std::string whole;
	//! Without its notes
	std::string plan;
};

//! The plan's part of a fragment: before the field 101, the list of notes, which follows the end of an object
std::string PlanOf(const std::string &fragment, char note_count) {
	const std::string begin("\xFF\xFF\x65\x00", 4);
	auto at = fragment.rfind(begin + note_count);
	Expect(note_count > 1 && at != std::string::npos, "a fragment without notes");
	return fragment.substr(0, at + 2);
}

char CountOperators(const duckdb::LogicalOperator &op) {
	char result = 1;
	for (auto &child : op.children) {
		result = static_cast<char>(result + CountOperators(*child));
	}
	return result;
}

//! A worker's database, with tables so that plans have something to scan
class Worker {
public:
	Worker() : db(OpenWorkerDatabase(Options())), connection(*db) {
		connection.Query("CREATE TABLE t AS SELECT i, 'text ' || (i % 7) AS s FROM range(100) r(i)");
		connection.Query("CREATE TABLE u AS SELECT i * 2 AS i FROM range(20) r(i)");
		for (auto query : QUERIES) {
			auto plan = connection.ExtractPlan(query);
			connection.BeginTransaction();
			auto whole = EncodeFragment(*connection.context, *plan);
			connection.Rollback();
			fragments.push_back({whole, PlanOf(whole, CountOperators(*plan))});
		}
	}

	static WorkerDatabaseOptions Options() {
		WorkerDatabaseOptions options;
		options.threads = 1;
		return options;
	}

	std::shared_ptr<duckdb::DuckDB> db;
	duckdb::Connection connection;
	std::vector<Fragment> fragments;
};

Worker &TheWorker() {
	static Worker worker;
	return worker;
}

} // namespace

std::vector<std::string> Samples() {
	std::vector<std::string> result;
	for (auto &fragment : TheWorker().fragments) {
		auto number = static_cast<char>(result.size());
		result.push_back(number + fragment.whole.substr(fragment.plan.size()));
	}
	return result;
}

//! A plan as it is, with whatever the input has for its notes
void DecodeNotes(const uint8_t *data, size_t size) {
	auto &worker = TheWorker();
	auto &fragment = worker.fragments[data[0] % worker.fragments.size()];
	auto bytes = fragment.plan + Text(data + 1, size - 1);
	Decode([&] {
		worker.connection.BeginTransaction();
		try {
			auto plan = DecodeFragment(*worker.connection.context, bytes);
			EncodeFragment(*worker.connection.context, *plan);
		} catch (...) {
			worker.connection.Rollback();
			throw;
		}
		worker.connection.Rollback();
	});
}

} // namespace duckherder::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size > 0) {
		duckherder::fuzz::DecodeNotes(data, size);
	}
	return 0;
}
