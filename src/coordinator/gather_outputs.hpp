#pragma once

#include "common/ids.hpp"
#include "common/task_error.hpp"
#include "protocol/chunk_source.hpp"
#include "protocol/messages.hpp"

#include "duckdb/common/error_data.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace duckherder {

//! The outputs that the session reads, as they become ready, and the reason why no more of them come. Thread-safe: its
//! lock is held for moments, and a thread that holds the coordinator's lock may take it.
class GatherOutputs {
public:
	struct Output {
		Attempt attempt = 0;
		WorkerAddress worker;
		//! The rows of a small output, which came with its task's result; null if they have to be fetched
		std::shared_ptr<const std::vector<std::string>> rows;
	};

	//! Whether the session is interrupted: asked only while the session reads
	explicit GatherOutputs(std::function<bool()> interrupted);

	//! The session may read this output. It replaces one that was lost.
	void SetReady(TaskKey task, Output output);
	//! Everybody who reads or waits gets this error. Later ones follow from it and are ignored.
	void Fail(const TaskError &error);
	//! A scan that the session itself runs has failed: this is thrown in the place of a failure that only says so.
	void NoteFeedFailure(const duckdb::ErrorData &error);
	bool Failed() const;
	//! The session wants no more: those that wait are interrupted.
	void Close();
	//! Those that wait look again, e.g. how many tasks there are.
	void Wake();
	//! Cancels what was opened, and what will be.
	void CancelSources();

	//! Nothing while the output is not there. Throws the failure, or InterruptException.
	std::optional<Output> IfReady(TaskKey task) const;
	//! Waits until the output may be there, at most WAIT_SLICE_MS. Does not throw the failure.
	void Await(TaskKey task);
	//! Throws the failure if there is one, instead of what follows from it.
	void ThrowIfFailed() const;
	bool Interrupted() const {
		return interrupted();
	}
	//! The output could not be read. False if there is a newer one meanwhile.
	bool Remove(TaskKey task, Attempt attempt);
	void AddSource(const std::shared_ptr<ChunkSource> &source);
	//! A gather of the session may read from now on.
	void OpenGather() {
		open_gathers++;
	}
	//! Whether it was the last one
	bool CloseGather() {
		return --open_gathers == 0;
	}

private:
	//! With the lock held
	void ThrowFailure() const;

	const std::function<bool()> interrupted;
	mutable std::mutex lock;
	std::condition_variable changed;
	std::map<TaskKey, Output> ready;
	std::optional<TaskError> failure;
	std::optional<duckdb::ErrorData> feed_failure;
	//! That the session reads, or has read
	std::vector<std::weak_ptr<ChunkSource>> sources;
	bool closed = false;
	bool cancelled = false;
	std::atomic<uint32_t> open_gathers {0};
};

} // namespace duckherder
