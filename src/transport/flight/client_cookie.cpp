#include "transport/flight/client_cookie.hpp"

#include "duckdb/common/types/uuid.hpp"

namespace duckherder {

namespace flight = arrow::flight;

namespace {

constexpr const char *REQUEST_HEADER = "cookie";
constexpr const char *ANSWER_HEADER = "set-cookie";
//! Before its value
constexpr const char *PREFIX = "duckherder_client=";

class NewCookie : public flight::ServerMiddleware {
public:
	void SendingHeaders(flight::AddCallHeaders *headers) override {
		// the generator is seeded by the system
		headers->AddHeader(ANSWER_HEADER,
		                   PREFIX + duckdb::UUID::ToString(duckdb::UUID::GenerateRandomUUID()) + "; HttpOnly");
	}
	void CallCompleted(const arrow::Status &) override {
	}
	std::string name() const override {
		return ClientCookie::NAME;
	}
};

} // namespace

arrow::Status ClientCookie::StartCall(const flight::CallInfo &info, const flight::ServerCallContext &context,
                                      std::shared_ptr<flight::ServerMiddleware> *middleware) {
	// the first calls of Flight SQL's clients; no nodes make them
	auto first = info.method == flight::FlightMethod::Handshake || info.method == flight::FlightMethod::GetFlightInfo;
	if (first && Of(context.incoming_headers()).empty()) {
		*middleware = std::make_shared<NewCookie>();
	}
	return arrow::Status::OK();
}

std::string ClientCookie::Of(const flight::CallHeaders &headers) {
	auto range = headers.equal_range(REQUEST_HEADER);
	for (auto header = range.first; header != range.second; header++) {
		std::string cookies(header->second);
		auto begin = cookies.find(PREFIX);
		if (begin != std::string::npos && (begin == 0 || cookies[begin - 1] == ' ' || cookies[begin - 1] == ';')) {
			begin += std::char_traits<char>::length(PREFIX);
			return cookies.substr(begin, cookies.find(';', begin) - begin);
		}
	}
	return "";
}

} // namespace duckherder
