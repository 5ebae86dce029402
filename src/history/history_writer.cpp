#include "history/history_writer.hpp"

#include "common/limits.hpp"

#include <chrono>

namespace duckherder {

using namespace duckdb;

HistoryWriter::HistoryWriter(std::shared_ptr<QueryRecorder> recorder_p, std::unique_ptr<HistoryFile> file_p,
                             std::function<void(const std::string &)> say_p)
    : recorder(std::move(recorder_p)), file(std::move(file_p)), say(std::move(say_p)) {
	if (!file->Problem().empty()) {
		say(file->Problem());
	}
	recorder->Restore(file->TakeRecords());
	thread = std::thread([this] { Run(); });
}

HistoryWriter::~HistoryWriter() {
	{
		MutexLock guard(lock);
		stopping = true;
	}
	wake.NotifyAll();
	thread.join();
}

void HistoryWriter::Flush() {
	MutexLock guard(lock);
	auto call = ++asked;
	wake.NotifyAll();
	auto time = std::chrono::milliseconds(limits::HISTORY_CLEAR_WAIT_MS);
	if (!written.WaitFor(guard, time, [&]() REQUIRES(lock) { return answered >= call; })) {
		throw IOException("The history of queries in \"%s\" was not written within %d s", file->Path(),
		                  limits::HISTORY_CLEAR_WAIT_MS / 1000);
	}
	if (!problem.empty()) {
		throw IOException("The history of queries in \"%s\" cannot be written: %s", file->Path(), problem);
	}
}

void HistoryWriter::Run() {
	MutexLock guard(lock);
	while (true) {
		auto time = std::chrono::milliseconds(limits::HISTORY_WRITE_INTERVAL_MS);
		wake.WaitFor(guard, time, [&]() REQUIRES(lock) { return stopping || asked > answered; });
		auto last = stopping;
		auto answering = asked;
		auto before = problem;
		guard.Unlock();
		std::string now;
		try {
			WriteChanges();
		} catch (std::exception &error) {
			now = ErrorData(error).RawMessage();
		}
		if (now.empty() != before.empty()) {
			say(now.empty() ? "The history of queries in \"" + file->Path() + "\" is written again"
			                : "The history of queries in \"" + file->Path() + "\" cannot be written: " + now);
		}
		guard.Lock();
		problem = now;
		answered = answering;
		written.NotifyAll();
		if (last) {
			return;
		}
	}
}

void HistoryWriter::WriteChanges() {
	auto changes = recorder->TakeChanges();
	if (changes.Empty()) {
		return;
	}
	try {
		file->Write(changes);
	} catch (...) {
		recorder->ChangesWereLost(changes);
		throw;
	}
}

} // namespace duckherder
