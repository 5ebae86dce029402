#include "compat/names.hpp"
#include "fuzz/fuzz_target.hpp"

#include "transport/http/http_framing.hpp"

namespace duckherder::fuzz {

namespace {

using State = HttpFraming::State;

//! As the bytes of a connection come, in any pieces: what has been said of a part stays true of the whole
void FrameInPieces(const std::string &bytes) {
	auto whole = FrameRequest(bytes);
	Expect(whole.state != State::COMPLETE || (whole.bytes > 0 && whole.bytes <= bytes.size()),
	       "a request is longer than what has come");
	Expect(whole.state != State::REFUSED || whole.status >= 400, "a refusal has no status");
	for (size_t length = bytes.size() / 2; length < bytes.size(); length += 1 + length / 16) {
		auto part = FrameRequest(bytes.substr(0, length));
		if (part.state == State::COMPLETE) {
			Expect(whole.state == State::COMPLETE && whole.bytes == part.bytes, "more bytes change a request");
		}
		if (part.state == State::REFUSED) {
			Expect(whole.state == State::REFUSED, "more bytes make a request of what is none");
		}
	}
}

} // namespace

std::vector<std::string> Samples() {
	return {"GET /api/v1/queries?sort=start HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer y\r\n\r\n",
	        "POST /login HTTP/1.1\r\nContent-Length: 7\r\n\r\ntoken=xGET / HTTP/1.1\r\n\r\n",
	        "POST /api/v1/sql HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"};
}

} // namespace duckherder::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	using namespace duckherder::fuzz;
	Decode([&] { FrameInPieces(Text(data, size)); });
	return 0;
}
