#include "common/log.hpp"

#include <gtest/gtest.h>

using namespace duckherder;

namespace {

TEST(Log, ALineOfTextHasItsTimeAndLevel) {
	EXPECT_EQ(Log::Line(LogFormat::TEXT, "T", LogLevel::WARNING, "event", "one\ntwo", {{"name", "value"}}),
	          "T warning: one\n  two\n");
}

TEST(Log, ALineOfJsonIsOneWhateverIsInIt) {
	auto line = Log::Line(LogFormat::JSON, "T", LogLevel::ERROR, "event", "a \"b\" \\ \n\t\x01 ä", {{"name", "\"\n"}});
	EXPECT_EQ(line, "{\"time\":\"T\",\"level\":\"error\",\"event\":\"event\","
	                "\"message\":\"a \\\"b\\\" \\\\ \\n\\u0009\\u0001 ä\",\"name\":\"\\\"\\n\"}\n");
}

} // namespace
