#pragma once

#include <string>

namespace duckherder {

//! The trace of a caller that a query belongs to, by W3C's Trace Context (w3.org/TR/trace-context):
//! "00-TRACE-SPAN-FLAGS".
struct TraceContext {
	//! 32 and 16 digits of lower-case hexadecimal; both empty if there is none
	std::string trace_id;
	std::string parent_span_id;

	//! Both parts are empty if the text is none, see IsTraceparent.
	static TraceContext Parse(const std::string &traceparent);
};

//! Whether the text is a trace context
bool IsTraceparent(const std::string &text);

} // namespace duckherder
