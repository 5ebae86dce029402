#pragma once

#include "protocol/worker_service.hpp"
#include "transport/flight/received_feed.hpp"

#include <arrow/flight/server.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace duckherder {

//! One DoExchange that runs a task, on the worker's side. Three threads take part: one receives (the feed, and news
//! that the client hung up), one runs the task, and the caller's sends signs of life and the result.
class TaskCall {
public:
	TaskCall(arrow::flight::FlightMessageReader &reader, arrow::flight::FlightMessageWriter &writer,
	         TaskRequest request, std::shared_ptr<WorkerService> worker, std::shared_ptr<ReceivedFeed> feed);

	//! Returns when the client has the result, or is gone and the task has ended.
	void Run();
	//! The node stops: stops the attempt, which then counts as if the connection had broken. Any thread.
	void Stop();

private:
	void SayAlive();
	//! The task runs: the client is told, and may send its feed. Any thread.
	void Take();
	void Receive();
	void TakeOfFeed(arrow::flight::FlightStreamChunk &chunk);
	void StopAttempt();

	arrow::flight::FlightMessageReader &reader;
	arrow::flight::FlightMessageWriter &writer;
	const TaskRequest request;
	std::shared_ptr<WorkerService> worker;
	//! Null unless the task is fed
	std::shared_ptr<ReceivedFeed> feed;

	std::mutex lock;
	std::condition_variable changed;
	bool done = false;
	//! The client has to be told
	bool taken = false;
	bool hung_up = false;
	bool stopping = false;
	TaskResult result;
};

} // namespace duckherder
