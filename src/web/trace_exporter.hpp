#pragma once

#include "common/mutex.hpp"
#include "history/query_recorder.hpp"

#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace duckherder {

//! Sends the traces of queries that have ended to a collector, by OTLP/HTTP with JSON: each second those of this
//! second, by a thread of its own, so that no query waits. What cannot be sent is lost, and said once until it works
//! again.
class TraceExporter {
public:
	//! `endpoint` is http://HOST[:PORT][/PATH]; without a path it gets /v1/traces. `say` is told what is wrong, and
	//! that it works again. Throws InvalidInputException for what is no such URL. `recorder` is kept.
	TraceExporter(std::shared_ptr<QueryRecorder> recorder, const std::string &endpoint,
	              std::function<void(const std::string &)> say);
	//! Sends what is left
	~TraceExporter();

private:
	void Run();
	//! Empty: it was taken
	std::string Send(const std::string &body);

	const std::shared_ptr<QueryRecorder> recorder;
	const std::function<void(const std::string &)> say;
	//! This process, as the resource of its spans: "host:pid"
	const std::string node;
	std::string origin;
	std::string path;
	bool works = true;
	Mutex lock;
	Condition wake;
	bool stopping GUARDED_BY(lock) = false;
	std::thread thread;
};

} // namespace duckherder
