#include "transport/flight/task_call.hpp"

#include "wire/messages.hpp"
#include "common/limits.hpp"
#include "protocol/attempt_control.hpp"
#include "transport/flight/flight_protocol.hpp"

#include "duckdb/common/exception.hpp"

namespace duckherder {

using flight_protocol::FrameBuffer;
using flight_protocol::FrameKind;
using flight_protocol::StreamFrame;

namespace flight = arrow::flight;

TaskCall::TaskCall(flight::FlightMessageReader &reader_p, flight::FlightMessageWriter &writer_p, TaskRequest request_p,
                   std::shared_ptr<WorkerService> worker_p, std::shared_ptr<ReceivedFeed> feed_p)
    : reader(reader_p), writer(writer_p), request(std::move(request_p)), worker(std::move(worker_p)),
      feed(std::move(feed_p)) {
}

void TaskCall::Run() {
	if (feed) {
		feed->OnFirstReader([this] { Take(); });
	} else {
		// Before the task begins: a caller that has not heard it takes the task for one that never ran.
		SayAlive();
	}
	std::thread receiver([this] { Receive(); });
	std::thread runner([this] {
		auto ended = worker->RunTask(request, feed);
		std::lock_guard<std::mutex> guard(lock);
		result = std::move(ended);
		done = true;
		changed.notify_all();
	});
	std::unique_lock<std::mutex> guard(lock);
	while (!done) {
		// An attempt that was told to stop before it began does not know: it is told again.
		auto stopped = hung_up || stopping;
		auto pause = stopped ? limits::WAIT_SLICE_MS : limits::KEEPALIVE_INTERVAL_MS;
		if (changed.wait_for(guard, std::chrono::milliseconds(pause),
		                     [&] { return done || taken || (!stopped && (hung_up || stopping)); }) &&
		    done) {
			break;
		}
		stopped = hung_up || stopping;
		taken = false;
		guard.unlock();
		if (stopped) {
			StopAttempt();
		} else {
			SayAlive();
		}
		guard.lock();
	}
	auto was_stopped = stopping;
	guard.unlock();
	runner.join();
	if (feed) {
		feed->Discard();
	}
	if (result.failed && was_stopped) {
		result.error.kind = ErrorKind::DISCONNECTED;
		result.error.exception_type = duckdb::Exception::ExceptionTypeToString(duckdb::ExceptionType::IO);
		result.error.message = "Worker " + request.worker_id + " was stopped";
	}
	auto status = writer.WriteMetadata(FrameBuffer(StreamFrame {FrameKind::RESULT, EncodeMessage(result)}));
	static_cast<void>(status);
	receiver.join();
}

void TaskCall::SayAlive() {
	// Who does not take it has hung up, which the receiver notices.
	auto status = writer.WriteMetadata(FrameBuffer(StreamFrame {FrameKind::ALIVE, ""}));
	static_cast<void>(status);
}

void TaskCall::Take() {
	std::lock_guard<std::mutex> guard(lock);
	taken = true;
	changed.notify_all();
}

void TaskCall::Receive() {
	while (true) {
		auto chunk = reader.Next();
		if (!chunk.ok() || (!chunk->data && !chunk->app_metadata)) {
			break;
		}
		if (feed) {
			TakeOfFeed(*chunk);
		}
	}
	if (feed) {
		feed->Fail(duckdb::IOException("the sender of the feed hung up"));
	}
	std::lock_guard<std::mutex> guard(lock);
	hung_up = true;
	changed.notify_all();
}

void TaskCall::TakeOfFeed(flight::FlightStreamChunk &chunk) {
	try {
		if (!chunk.app_metadata) {
			throw duckdb::IOException("a batch of a feed came without its checksum");
		}
		auto frame = flight_protocol::DecodeFrame(*chunk.app_metadata);
		if (chunk.data) {
			flight_protocol::CheckRows(frame, *chunk.data);
			feed->Push(std::move(chunk.data));
		} else {
			feed->End(frame);
		}
	} catch (std::exception &error) {
		// the task gets it from its feed; the sender is still there
		feed->Fail(error);
	}
}

void TaskCall::StopAttempt() {
	if (feed) {
		feed->Cancel();
	}
	if (auto control = std::dynamic_pointer_cast<AttemptControl>(worker)) {
		control->StopAttempt(request);
	} else {
		worker->CancelQuery(request.query_id);
	}
}

void TaskCall::Stop() {
	std::lock_guard<std::mutex> guard(lock);
	stopping = true;
	changed.notify_all();
}

} // namespace duckherder
