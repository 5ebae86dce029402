#pragma once

#include "common/mutex.hpp"
#include "history/history_file.hpp"
#include "history/query_recorder.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace duckherder {

//! Keeps the records of a recorder in a file as well, on a thread of its own, so that no query waits for the disk. It
//! writes every HISTORY_WRITE_INTERVAL_MS, and at its end. What cannot be written stays in the recorder, within the
//! recorder's bounds, and is tried again. Thread-safe.
class HistoryWriter {
public:
	//! Gives the recorder the records that are in the file. `say` is called with what the operator should know: that
	//! the file cannot be written, or can again.
	HistoryWriter(std::shared_ptr<QueryRecorder> recorder, std::unique_ptr<HistoryFile> file,
	              std::function<void(const std::string &)> say);
	~HistoryWriter();

	//! Returns when all changes until now are on disk. Throws IOException if they cannot be written, or not within
	//! HISTORY_CLEAR_WAIT_MS.
	void Flush();

private:
	void Run();
	void WriteChanges();

	const std::shared_ptr<QueryRecorder> recorder;
	const std::unique_ptr<HistoryFile> file;
	const std::function<void(const std::string &)> say;
	Mutex lock;
	Condition wake;
	Condition written;
	//! Numbers of calls of Flush: all until now, and those whose changes were written or could not be
	uint64_t asked GUARDED_BY(lock) = 0;
	uint64_t answered GUARDED_BY(lock) = 0;
	//! Why the last changes could not be written; empty if they were
	std::string problem GUARDED_BY(lock);
	bool stopping GUARDED_BY(lock) = false;
	std::thread thread;
};

} // namespace duckherder
