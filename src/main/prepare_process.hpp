#pragma once

namespace duckherder {

//! What a node needs of its process: an allocator that reuses the memory of messages, as many open files as it may
//! have, stop signals that wait for who asks for them. Before any thread starts.
void PrepareProcess();

} // namespace duckherder
