#pragma once

#include "protocol/messages.hpp"

namespace duckherder {

//! What a WorkerService may implement besides, so that a transport can tell it that nobody waits for an attempt any
//! more: its caller died or hung up. Unlike CancelQuery this leaves the query's outputs and other attempts alone, as
//! the query may go on elsewhere.
class AttemptControl {
public:
	virtual ~AttemptControl() = default;
	//! Stops that one attempt if it runs. Idempotent, any thread, does not wait.
	virtual void StopAttempt(const TaskRequest &request) = 0;
};

} // namespace duckherder
