#pragma once

namespace duckherder {

//! What a node needs of its process: memory of messages that goes back to the system, as many open files as it may
//! have, stop signals that wait for who asks for them. Before any thread starts.
void PrepareProcess();

} // namespace duckherder
