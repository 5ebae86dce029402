#include "protocol/trace_context.hpp"

#include <algorithm>

namespace duckherder {

namespace {

//! Hexadecimal digits, and not only zeros
bool IsId(const std::string &text) {
	auto is_digit = [](char digit) { return (digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f'); };
	return std::all_of(text.begin(), text.end(), is_digit) && text.find_first_not_of('0') != std::string::npos;
}

} // namespace

TraceContext TraceContext::Parse(const std::string &traceparent) {
	constexpr size_t LENGTH = 55;
	TraceContext context;
	if (traceparent.size() < LENGTH || traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-') {
		return context;
	}
	auto trace = traceparent.substr(3, 32);
	auto span = traceparent.substr(36, 16);
	if (IsId(trace) && IsId(span)) {
		context.trace_id = trace;
		context.parent_span_id = span;
	}
	return context;
}

bool IsTraceparent(const std::string &text) {
	return !TraceContext::Parse(text).trace_id.empty();
}

} // namespace duckherder
