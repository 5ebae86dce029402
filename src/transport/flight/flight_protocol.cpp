#include "transport/flight/flight_protocol.hpp"

#include "codec/errors.hpp"
#include "codec/messages.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/flight/types.h>

namespace duckherder::flight_protocol {

using duckdb::IOException;

std::string EncodeMark(const Mark &mark) {
	return EncodeParts({std::to_string(static_cast<int>(mark.kind)), mark.body});
}

Mark DecodeMark(const std::string &bytes) {
	auto parts = DecodeParts(bytes);
	if (parts.size() != 2 || parts[0].size() != 1 || parts[0][0] < '0' || parts[0][0] > '5') {
		throw duckdb::SerializationException("these %llu bytes are not a mark", bytes.size());
	}
	return Mark {static_cast<MarkKind>(parts[0][0] - '0'), std::move(parts[1])};
}

std::shared_ptr<arrow::Buffer> MarkBuffer(const Mark &mark) {
	return arrow::Buffer::FromString(EncodeMark(mark));
}

Mark DecodeMark(const arrow::Buffer &buffer) {
	return DecodeMark(buffer.ToString());
}

Mark EndMark(uint64_t rows) {
	return Mark {MarkKind::END, std::to_string(rows)};
}

Mark ErrorMark(const TaskError &error) {
	return Mark {MarkKind::ERROR, EncodeTaskError(error)};
}

void CheckEnd(const Mark &mark, uint64_t rows) {
	if (mark.kind == MarkKind::ERROR) {
		ThrowTaskError(DecodeTaskError(mark.body));
	}
	if (mark.kind != MarkKind::END) {
		throw IOException("a stream ended with a mark of kind %d", static_cast<int>(mark.kind));
	}
	if (mark.body != std::to_string(rows)) {
		throw IOException("a stream of %s rows brought %llu", mark.body, rows);
	}
}

void CheckCall(const arrow::Status &status, const std::string &peer) {
	if (status.ok()) {
		return;
	}
	auto detail = arrow::flight::FlightStatusDetail::UnwrapStatus(status);
	if (detail && detail->code() == arrow::flight::FlightStatusCode::Unauthenticated) {
		throw duckdb::PermissionException("%s refused the token: all nodes need the same one (--token-file, "
		                                  "$DUCKHERDER_TOKEN_FILE, or ~/.duckherder/token)",
		                                  peer);
	}
	throw IOException("cannot reach %s: %s", peer, status.message());
}

} // namespace duckherder::flight_protocol
