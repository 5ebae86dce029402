#pragma once

#include "protocol/messages.hpp"

namespace duckherder {

//! A WorkerService may implement this as well, so that a transport can tell it that nobody waits for an attempt any
//! more: its caller died or hung up. Unlike CancelQuery this leaves the query's outputs and other attempts alone,
//! because the query may go on elsewhere.
class AttemptControl {
public:
	virtual ~AttemptControl() = default;
	//! Stops that one attempt if it runs. The call is idempotent, may come from any thread, and does not wait.
	virtual void StopAttempt(const TaskRequest &request) = 0;
};

} // namespace duckherder
