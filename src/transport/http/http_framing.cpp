#include "transport/http/http_framing.hpp"

#include "common/limits.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>

namespace duckherder {

namespace {

HttpFraming Refused(int status, const char *reason) {
	HttpFraming result;
	result.state = HttpFraming::State::REFUSED;
	result.status = status;
	result.reason = reason;
	return result;
}

bool EqualsIgnoringCase(std::string_view left, std::string_view right) {
	return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char one, char other) {
		return std::tolower(static_cast<unsigned char>(one)) == std::tolower(static_cast<unsigned char>(other));
	});
}

std::string_view Trimmed(std::string_view text) {
	auto is_space = [](char character) { return character == ' ' || character == '\t'; };
	while (!text.empty() && is_space(text.front())) {
		text.remove_prefix(1);
	}
	while (!text.empty() && is_space(text.back())) {
		text.remove_suffix(1);
	}
	return text;
}

//! None if it is no number, or too large to be one that matters
std::optional<size_t> NumberOf(std::string_view text) {
	if (text.empty() || text.size() > 12) {
		return std::nullopt;
	}
	size_t number = 0;
	for (auto digit : text) {
		if (digit < '0' || digit > '9') {
			return std::nullopt;
		}
		number = number * 10 + static_cast<size_t>(digit - '0');
	}
	return number;
}

//! "METHOD target HTTP/1.x", of visible characters
bool IsRequestLine(std::string_view line) {
	auto first = line.find(' ');
	auto last = line.rfind(' ');
	if (first == 0 || first == std::string_view::npos || last <= first + 1) {
		return false;
	}
	auto version = line.substr(last + 1);
	auto target = line.substr(first + 1, last - first - 1);
	auto is_visible = [](char character) { return character > ' ' && character != 0x7F; };
	return (version == "HTTP/1.1" || version == "HTTP/1.0") && std::all_of(target.begin(), target.end(), is_visible);
}

} // namespace

HttpFraming FrameRequest(const std::string &received) {
	constexpr std::string_view HEADER_END = "\r\n\r\n";
	auto end = received.find(HEADER_END);
	if (std::min(end, received.size()) > limits::HTTP_HEADER_BYTES_MAX) {
		return Refused(431, "The request line and headers are too long");
	}
	std::string_view header(received.data(), std::min(end, received.size()));
	if (header.find('\0') != std::string_view::npos) {
		return Refused(400, "A header has a zero byte");
	}
	if (end == std::string::npos) {
		return HttpFraming();
	}
	std::optional<size_t> length;
	auto line_end = header.find("\r\n");
	if (!IsRequestLine(header.substr(0, line_end))) {
		return Refused(400, "This is no request of HTTP/1.1");
	}
	while (line_end != std::string_view::npos) {
		header.remove_prefix(line_end + 2);
		line_end = header.find("\r\n");
		auto line = header.substr(0, line_end);
		auto colon = line.find(':');
		if (colon == std::string_view::npos || colon == 0 || line.find_first_of(" \t") < colon) {
			return Refused(400, "A header is no 'name: value'");
		}
		auto name = line.substr(0, colon);
		if (EqualsIgnoringCase(name, "transfer-encoding")) {
			return Refused(411, "A body needs a Content-Length, chunks are not taken");
		}
		if (EqualsIgnoringCase(name, "content-length")) {
			auto number = NumberOf(Trimmed(line.substr(colon + 1)));
			if (length || !number) {
				return Refused(400, "Content-Length is not one number");
			}
			length = number;
		}
	}
	if (length.value_or(0) > limits::HTTP_BODY_BYTES_MAX) {
		return Refused(413, "The body is too long");
	}
	HttpFraming result;
	result.bytes = end + HEADER_END.size() + length.value_or(0);
	result.state = received.size() >= result.bytes ? HttpFraming::State::COMPLETE : HttpFraming::State::INCOMPLETE;
	return result;
}

} // namespace duckherder
