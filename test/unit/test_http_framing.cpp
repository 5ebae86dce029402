#include "common/limits.hpp"
#include "transport/http/http_framing.hpp"

#include <gtest/gtest.h>

using namespace duckherder;

namespace {

using State = HttpFraming::State;

const std::string GET = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(HttpFraming, ARequestIsWholeAtItsLastByteAndNotBefore) {
	auto post = std::string("POST /login HTTP/1.1\r\nContent-LENGTH:  5 \r\n\r\nabcde");
	for (auto &request : {GET, post}) {
		for (size_t length = 0; length < request.size(); length++) {
			ASSERT_EQ(FrameRequest(request.substr(0, length)).state, State::INCOMPLETE) << length;
		}
		auto framing = FrameRequest(request + GET);
		ASSERT_EQ(framing.state, State::COMPLETE);
		ASSERT_EQ(framing.bytes, request.size());
	}
}

TEST(HttpFraming, WhatTwoReadersCouldUnderstandInTwoWaysIsRefused) {
	struct Case {
		std::string request;
		int status;
	};
	const auto line = std::string("POST / HTTP/1.1\r\n");
	const Case cases[] = {{"\r\n\r\n", 400},
	                      {"POST  HTTP/1.1\r\n\r\n", 400},
	                      {" / HTTP/1.1\r\n\r\n", 400},
	                      {"GET / HTTP/2.0\r\n\r\n", 400},
	                      {"GET /a b HTTP/1.1\r\n\r\n", 400},
	                      {std::string("GET /\x01 HTTP/1.1\r\n\r\n"), 400},
	                      {line + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
	                      {line + "Content-Length: 1, 1\r\n\r\nx", 400},
	                      {line + "Content-Length: 0x1\r\n\r\nx", 400},
	                      {line + "Content-Length:\r\n\r\n", 400},
	                      {line + "Content-Length: -1\r\n\r\n", 400},
	                      {line + "Content-Length: 99999999999999999999\r\n\r\n", 400},
	                      {line + "Content-Length : 1\r\n\r\nx", 400},
	                      {line + "X: y\r\n\tContent-Length: 1\r\n\r\nx", 400},
	                      {line + ": y\r\n\r\n", 400},
	                      {line + std::string("X: \0\r\n\r\n", 8), 400},
	                      {line + "transfer-encoding: identity\r\n\r\n", 411},
	                      {line + "Content-Length: 1048577\r\n\r\n", 413},
	                      {line + "X: " + std::string(limits::HTTP_HEADER_BYTES_MAX, 'x'), 431}};
	for (auto &entry : cases) {
		auto framing = FrameRequest(entry.request);
		EXPECT_EQ(framing.state, State::REFUSED) << entry.request;
		EXPECT_EQ(framing.status, entry.status) << entry.request;
		EXPECT_STRNE(framing.reason, "");
	}
}

} // namespace
