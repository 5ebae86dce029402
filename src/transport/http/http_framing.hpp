#pragma once

#include <cstddef>
#include <string>

namespace duckherder {

//! How far the bytes of a connection go towards one HTTP/1.1 request
struct HttpFraming {
	enum class State {
		INCOMPLETE, //! more has to come
		COMPLETE,   //! the first `bytes` are a request
		REFUSED     //! it will never be one that we take: `status` and `reason` say why
	};
	State state = State::INCOMPLETE;
	size_t bytes = 0;
	int status = 0;
	const char *reason = "";
};

//! Finds the end of the first request in `received`, by RFC 9112: headers up to an empty line, then as many bytes as
//! Content-Length says. Anything that two readers could understand in two ways is refused: several lengths, a length
//! that is no number, chunked bodies, folded headers, spaces before a colon, zero bytes. Does not look at the rest,
//! which the HTTP library parses once the request is there.
HttpFraming FrameRequest(const std::string &received);

} // namespace duckherder
