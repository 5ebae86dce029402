#pragma once

#include "wire/errors.hpp"
#include "protocol/attempt_control.hpp"
#include "protocol/worker_service.hpp"

#include "duckdb.hpp"
#include "duckdb/common/types/column/column_data_collection.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace duckherder {

//! How much longer a test may wait than it should in a release build
#ifdef __SANITIZE_THREAD__
constexpr int SLOWDOWN = 6;
#else
constexpr int SLOWDOWN = 1;
#endif

//! How long a test waits for what must happen; only one that fails takes so long.
constexpr std::chrono::seconds PATIENCE(20 * SLOWDOWN);

//! Something that happens once, and that threads wait for
class Signal {
public:
	void Set() {
		std::lock_guard<std::mutex> guard(lock);
		happened = true;
		changed.notify_all();
	}
	//! False if it has not happened in time
	bool Wait(std::chrono::milliseconds limit = PATIENCE) {
		std::unique_lock<std::mutex> guard(lock);
		return changed.wait_for(guard, limit, [&] { return happened; });
	}
	bool Happened() {
		return Wait(std::chrono::milliseconds(0));
	}

private:
	std::mutex lock;
	std::condition_variable changed;
	bool happened = false;
};

//! Rows that a script makes, one chunk after another, for whoever asks next
class ScriptedSource : public ChunkSource, public std::enable_shared_from_this<ScriptedSource> {
public:
	//! Fills chunk `number`, from 0 on, or leaves it empty at the end, or throws. Called by one thread at a time.
	using Script = std::function<void(ScriptedSource &source, duckdb::idx_t number, duckdb::DataChunk &chunk)>;

	ScriptedSource(duckdb::vector<duckdb::LogicalType> types_p, Script script_p)
	    : types(std::move(types_p)), script(std::move(script_p)) {
	}
	~ScriptedSource() override {
		if (gone) {
			gone->Set();
		}
	}

	const duckdb::vector<duckdb::LogicalType> &Types() const override {
		return types;
	}
	duckdb::idx_t MaxReaders() const override {
		return 8;
	}
	std::unique_ptr<ChunkReader> OpenReader() override {
		return std::make_unique<Reader>(shared_from_this());
	}
	void Cancel() override {
		cancelled.Set();
	}

	//! For scripts that stop in the middle: until someone calls Cancel, then throws. False if nobody does.
	bool BlockUntilCancelled() {
		blocked.Set();
		if (!cancelled.Wait()) {
			return false;
		}
		throw duckdb::InterruptException();
	}

	Signal cancelled;
	Signal blocked;
	//! Set when the source is destroyed
	std::shared_ptr<Signal> gone;

private:
	class Reader : public ChunkReader {
	public:
		explicit Reader(std::shared_ptr<ScriptedSource> source_p) : source(std::move(source_p)) {
		}
		void Next(duckdb::DataChunk &chunk) override {
			if (source->cancelled.Happened()) {
				throw duckdb::InterruptException();
			}
			std::lock_guard<std::mutex> guard(source->lock);
			if (!source->ended) {
				source->script(*source, source->number, chunk);
				source->ended = chunk.size() == 0;
				number = source->number++;
			}
		}
		duckdb::idx_t BatchIndex() const override {
			return number;
		}

	private:
		std::shared_ptr<ScriptedSource> source;
		duckdb::idx_t number = 0;
	};

	const duckdb::vector<duckdb::LogicalType> types;
	Script script;
	std::mutex lock;
	duckdb::idx_t number = 0;
	bool ended = false;
};

//! A script's helper: chunk `number` of the numbers from 0 on, always a full one
inline void FillNumbers(duckdb::idx_t number, duckdb::DataChunk &chunk) {
	auto first = static_cast<int64_t>(number * STANDARD_VECTOR_SIZE);
	chunk.data[0].Sequence(first, 1, STANDARD_VECTOR_SIZE);
	chunk.SetCardinality(STANDARD_VECTOR_SIZE);
}

//! `full_chunks` chunks of numbers; then `then` is called instead
inline std::shared_ptr<ScriptedSource> NumbersThen(duckdb::idx_t full_chunks,
                                                   std::function<void(ScriptedSource &)> then) {
	auto script = [=](ScriptedSource &source, duckdb::idx_t number, duckdb::DataChunk &chunk) {
		if (number < full_chunks) {
			FillNumbers(number, chunk);
		} else {
			then(source);
		}
	};
	return std::make_shared<ScriptedSource>(duckdb::vector<duckdb::LogicalType> {duckdb::LogicalType::BIGINT}, script);
}

inline std::shared_ptr<ScriptedSource> SourceOf(std::shared_ptr<duckdb::ColumnDataCollection> rows) {
	auto types = rows->Types();
	auto state = std::make_shared<duckdb::ColumnDataScanState>();
	rows->InitializeScan(*state, duckdb::ColumnDataScanProperties::DISALLOW_ZERO_COPY);
	return std::make_shared<ScriptedSource>(
	    types, [rows, state](ScriptedSource &, duckdb::idx_t, duckdb::DataChunk &chunk) { rows->Scan(*state, chunk); });
}

//! A worker that does what the test wrote down for it, and remembers what it was asked to do. Thread-safe; the scripts
//! are set before it is used.
class ScriptedWorker : public WorkerService, public AttemptControl {
public:
	using Feed = std::shared_ptr<ChunkSource>;

	explicit ScriptedWorker(const WorkerId &id) {
		info.address = {id, "inproc"};
		info.duckdb_version = duckdb::DuckDB::LibraryVersion();
	}

	TaskResult RunTask(const TaskRequest &request, Feed feed) override {
		Note("RunTask", &tasks, request);
		started.Set();
		try {
			return run ? run(request, feed) : TaskResult();
		} catch (std::exception &error) {
			TaskResult result;
			result.failed = true;
			result.error = ToTaskError(error, info.address.id);
			return result;
		}
	}
	Feed Fetch(const FetchRequest &request, const duckdb::vector<duckdb::LogicalType> &types) override {
		Note("Fetch", &fetches, request);
		return fetch(request, types);
	}
	void CancelQuery(const QueryId &query_id) override {
		Note("CancelQuery", &cancelled_queries, query_id);
		cancelled.Set();
	}
	void RenewLease(const QueryId &query_id, const std::vector<std::string> &lost_locations) override {
		auto kept = query_id;
		for (auto &location : lost_locations) {
			kept += " without " + location;
		}
		Note("RenewLease", &leased_queries, kept);
	}
	void StopAttempt(const TaskRequest &request) override {
		Note("StopAttempt", &stopped_attempts, request);
		stopped.Set();
	}
	WorkerInfo GetInfo() override {
		Note<WorkerInfo>("GetInfo", nullptr, info);
		return info;
	}
	void Drain() override {
		Note<std::string>("Drain", nullptr, "");
	}
	void LoadExtension(const std::string &name) override {
		Note("LoadExtension", &extensions, name);
		if (load_extension) {
			load_extension(name);
		}
	}

	std::function<TaskResult(const TaskRequest &, const Feed &)> run;
	std::function<Feed(const FetchRequest &, const duckdb::vector<duckdb::LogicalType> &)> fetch;
	std::function<void(const std::string &)> load_extension;
	WorkerInfo info;

	//! The first RunTask has begun
	Signal started;
	//! CancelQuery or StopAttempt was called
	Signal cancelled;
	Signal stopped;

	//! Names of the methods that were called
	std::vector<std::string> Calls() {
		return Copy(calls);
	}
	std::vector<TaskRequest> Tasks() {
		return Copy(tasks);
	}
	//! Whether so many RunTask have begun, within a time that is enough for it
	bool AwaitTasks(size_t count) {
		std::unique_lock<std::mutex> guard(lock);
		return task_noted.wait_for(guard, PATIENCE, [&] { return tasks.size() >= count; });
	}
	std::vector<FetchRequest> Fetches() {
		return Copy(fetches);
	}
	std::vector<QueryId> KeptQueries() {
		return Copy(leased_queries);
	}
	std::vector<QueryId> CancelledQueries() {
		return Copy(cancelled_queries);
	}
	std::vector<TaskRequest> StoppedAttempts() {
		return Copy(stopped_attempts);
	}
	std::vector<std::string> Extensions() {
		return Copy(extensions);
	}

private:
	template <class T>
	void Note(const std::string &call, std::vector<T> *list, const T &entry) {
		std::lock_guard<std::mutex> guard(lock);
		calls.push_back(call);
		if (list) {
			list->push_back(entry);
		}
		task_noted.notify_all();
	}
	template <class T>
	std::vector<T> Copy(const std::vector<T> &list) {
		std::lock_guard<std::mutex> guard(lock);
		return list;
	}

	std::mutex lock;
	std::condition_variable task_noted;
	std::vector<std::string> calls;
	std::vector<TaskRequest> tasks;
	std::vector<FetchRequest> fetches;
	std::vector<QueryId> cancelled_queries;
	std::vector<QueryId> leased_queries;
	std::vector<TaskRequest> stopped_attempts;
	std::vector<std::string> extensions;
};

} // namespace duckherder
