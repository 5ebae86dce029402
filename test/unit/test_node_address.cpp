#include "protocol/node_address.hpp"

#include "duckdb/common/error_data.hpp"

#include <gtest/gtest.h>

namespace duckherder {

namespace {

std::string LocationOf(const std::string &text, bool tls_by_default = false) {
	return ParseNodeAddress(text).Location(tls_by_default);
}

template <class FUNCTION>
void ExpectRefused(const std::string &part, FUNCTION function) {
	try {
		function();
		ADD_FAILURE() << "nothing was thrown: " << part;
	} catch (std::exception &thrown) {
		duckdb::ErrorData error(thrown);
		EXPECT_EQ(error.Type(), duckdb::ExceptionType::INVALID_INPUT);
		EXPECT_NE(error.RawMessage().find(part), std::string::npos) << error.RawMessage();
	}
}

} // namespace

TEST(NodeAddress, EveryFormIsTheSameAddress) {
	for (auto text : {"127.0.0.1:8815", "grpc://127.0.0.1:8815", "grpc://127.0.0.1:8815/", "grpc+tcp://127.0.0.1:8815",
	                  "8815", "127.0.0.1", "grpc://127.0.0.1", "[127.0.0.1]:8815"}) {
		EXPECT_EQ(LocationOf(text), "grpc://127.0.0.1:8815") << text;
	}
}

TEST(NodeAddress, BracketsStandAroundIpv6) {
	for (auto text : {"[::1]:8815", "::1", "[::1]", "grpc://[::1]:8815", "grpc://::1"}) {
		EXPECT_EQ(LocationOf(text), "grpc://[::1]:8815") << text;
		EXPECT_EQ(ParseNodeAddress(text).host, "::1") << text;
	}
	EXPECT_EQ(ParseNodeAddress("[fe80::1%eth0]:1").HostPort(), "[fe80::1%eth0]:1");
}

TEST(NodeAddress, TheSchemeDecidesAboutTls) {
	EXPECT_EQ(LocationOf("h:1", true), "grpc+tls://h:1");
	EXPECT_EQ(LocationOf("grpc://h:1", true), "grpc://h:1");
	EXPECT_EQ(LocationOf("grpc+tls://h:1", false), "grpc+tls://h:1");
	EXPECT_FALSE(ParseNodeAddress("h:1").tls.has_value());
}

TEST(NodeAddress, TheMissingPortIsTheCallers) {
	EXPECT_EQ(ParseNodeAddress("h", 0).port, 0U);
	EXPECT_EQ(ParseNodeAddress("h:0", 5).port, 0U);
	EXPECT_EQ(ParseNodeAddress("h:65535").port, 65535U);
}

TEST(NodeAddress, HostAndPortMayComeApart) {
	EXPECT_EQ(JoinNodeAddress("h", 7).HostPort(), "h:7");
	EXPECT_EQ(JoinNodeAddress("grpc://127.0.0.1", 8815).Location(false), "grpc://127.0.0.1:8815");
	EXPECT_EQ(JoinNodeAddress("grpc+tls://h:7", 7).Location(false), "grpc+tls://h:7");
	EXPECT_EQ(JoinNodeAddress("::1", 7).HostPort(), "[::1]:7");
	ExpectRefused("names the port 8, and beside it stands the port 7", [] { JoinNodeAddress("h:8", 7); });
	ExpectRefused("a host and a port are needed", [] { JoinNodeAddress("8815", 7); });
}

TEST(NodeAddress, WhatIsNoneIsRefusedWithTheForms) {
	for (auto text : {"", ":8815", "h:", "h:port", "h:65536", "h:-1", "h:1000000", "grpc://", "[::1:8815", "[::1]8815",
	                  "a b:1", "h:1/path", "h:1:2:x y", "grpc://[grpc://127.0.0.1]:8815", "user@h:1"}) {
		ExpectRefused("grpc+tls://HOST:PORT", [&] { ParseNodeAddress(text); });
	}
	ExpectRefused("the scheme is 'http'", [] { ParseNodeAddress("http://h:1"); });
	ExpectRefused("'x' is no port", [] { ParseNodeAddress("h:x"); });
}

} // namespace duckherder
