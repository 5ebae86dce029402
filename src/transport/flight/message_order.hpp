#pragma once

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

//! What came before a message was sent comes before all that its receiver does with it, also when both are threads of
//! one process. gRPC sees to that unseen by ThreadSanitizer, which it is not compiled for: in builds for it, and only
//! there, these tell it. Which message does not matter to it: what comes after any Received is taken to come after
//! every Sent before. So races between the two sides of a connection may stay unseen, but none between threads of one
//! side that have exchanged no message meanwhile.
namespace duckherder::message_order {

#ifdef __SANITIZE_THREAD__
inline char messages;

//! Before a message, or the end of a call, leaves this thread
inline void Sent() {
	__tsan_release(&messages);
}

//! After one has come to this thread
inline void Received() {
	__tsan_acquire(&messages);
}
#else
inline void Sent() {
}
inline void Received() {
}
#endif

} // namespace duckherder::message_order
