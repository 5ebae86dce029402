#include "transport/flight/flight_protocol.hpp"

#include "wire/checksum.hpp"
#include "wire/errors.hpp"
#include "wire/messages.hpp"
#include "common/limits.hpp"
#include "transport/flight/message_order.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/flight/types.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>

namespace duckherder::flight_protocol {

using duckdb::IOException;

std::string Pack(const std::vector<std::string> &parts) {
	message_order::Sent();
	auto bytes = EncodeParts(parts);
	auto checksum = ChecksumOf(bytes);
	bytes.append(reinterpret_cast<const char *>(&checksum), sizeof(checksum));
	return bytes;
}

std::vector<std::string> Unpack(const std::string &bytes) {
	message_order::Received();
	uint64_t checksum = 0;
	if (bytes.size() < sizeof(checksum)) {
		throw IOException("%llu bytes are no message", bytes.size());
	}
	if (bytes.size() > limits::CONTROL_MESSAGE_BYTES_MAX + sizeof(checksum)) {
		throw duckdb::SerializationException("a message of %llu bytes is larger than the %llu that it may have",
		                                     bytes.size(), limits::CONTROL_MESSAGE_BYTES_MAX);
	}
	auto content = bytes.substr(0, bytes.size() - sizeof(checksum));
	memcpy(&checksum, bytes.data() + content.size(), sizeof(checksum));
	if (checksum != ChecksumOf(content)) {
		throw IOException("a message of %llu bytes was damaged on its way: its checksum is wrong", bytes.size());
	}
	return DecodeParts(content);
}

void CheckParts(const std::vector<std::string> &parts, size_t count) {
	if (parts.size() != count) {
		throw duckdb::SerializationException("a call came with %llu parts instead of %llu", parts.size(), count);
	}
}

std::string EncodeFrame(const StreamFrame &frame) {
	return Pack({std::to_string(static_cast<int>(frame.kind)), frame.body});
}

StreamFrame DecodeFrame(const std::string &bytes) {
	auto parts = Unpack(bytes);
	if (parts.size() != 2 || parts[0].size() != 1 || parts[0][0] < '0' || parts[0][0] > '6') {
		throw duckdb::SerializationException("these %llu bytes are not a frame", bytes.size());
	}
	return StreamFrame {static_cast<FrameKind>(parts[0][0] - '0'), std::move(parts[1])};
}

std::shared_ptr<arrow::Buffer> FrameBuffer(const StreamFrame &frame) {
	return arrow::Buffer::FromString(EncodeFrame(frame));
}

StreamFrame DecodeFrame(const arrow::Buffer &buffer) {
	return DecodeFrame(buffer.ToString());
}

StreamFrame EndFrame(uint64_t rows) {
	return StreamFrame {FrameKind::END, std::to_string(rows)};
}

StreamFrame ErrorFrame(const TaskError &error) {
	return StreamFrame {FrameKind::ERROR, EncodeMessage(error)};
}

std::shared_ptr<arrow::Buffer> RowsFrame(const arrow::RecordBatch &batch, const arrow::ipc::IpcPayload &payload) {
	return FrameBuffer(StreamFrame {FrameKind::ROWS, std::to_string(ChecksumOf(batch, payload.body_buffers))});
}

arrow::Result<std::shared_ptr<arrow::Buffer>> RowsFrame(const arrow::RecordBatch &batch) {
	arrow::ipc::IpcPayload payload;
	ARROW_RETURN_NOT_OK(arrow::ipc::GetRecordBatchPayload(batch, arrow::ipc::IpcWriteOptions::Defaults(), &payload));
	return RowsFrame(batch, payload);
}

void CheckRows(const StreamFrame &frame, const arrow::RecordBatch &batch) {
	if (frame.kind != FrameKind::ROWS || frame.body != std::to_string(ChecksumOf(batch))) {
		throw IOException("a batch of %lld rows was damaged on its way: its checksum is wrong", batch.num_rows());
	}
}

void CheckEnd(const StreamFrame &frame, uint64_t rows) {
	if (frame.kind == FrameKind::ERROR) {
		ThrowTaskError(DecodeMessage<TaskError>(frame.body));
	}
	if (frame.kind != FrameKind::END) {
		throw IOException("a stream ended with a frame of kind %d", static_cast<int>(frame.kind));
	}
	if (frame.body != std::to_string(rows)) {
		throw IOException("a stream of %s rows brought %llu", frame.body, rows);
	}
}

//! gRPC names what it saw on the wire. What that means to who typed the address is added.
static std::string WhyNoAnswer(const std::string &message, const std::string &location) {
	auto says = [&](const char *part) { return message.find(part) != std::string::npos; };
	auto by_tls = location.rfind("grpc+tls://", 0) == 0;
	if (by_tls && (says("certificate verify failed") || says("CERTIFICATE_VERIFY_FAILED"))) {
		return ". Its certificate is not trusted here: name the authority's with --tls-ca, $DUCKHERDER_TLS_CA, or "
		       "TLS_CA "
		       "of ATTACH";
	}
	if (by_tls && (says("WRONG_VERSION_NUMBER") || says("andshake"))) {
		return ". It seems to serve no TLS: then its address begins with grpc://";
	}
	if (!by_tls && !location.empty() && (says("Socket closed") || says("onnection reset"))) {
		return ". If it serves TLS, its address begins with grpc+tls://, or the authority is named with --tls-ca or "
		       "$DUCKHERDER_TLS_CA";
	}
	return std::string();
}

void CheckCall(const arrow::Status &status, const std::string &peer, const std::string &token_source,
               const std::string &location) {
	if (status.ok()) {
		return;
	}
	auto detail = arrow::flight::FlightStatusDetail::UnwrapStatus(status);
	if (detail && detail->code() == arrow::flight::FlightStatusCode::Unauthenticated) {
		throw duckdb::PermissionException("%s refused the token: all nodes need the same one (--token-file, "
		                                  "$DUCKHERDER_TOKEN_FILE, or ~/.duckherder/token)%s",
		                                  peer, token_source.empty() ? "" : "; this is " + token_source);
	}
	if (detail && detail->code() == arrow::flight::FlightStatusCode::Unauthorized) {
		throw duckdb::PermissionException("%s: %s", peer, status.message());
	}
	throw IOException("cannot reach %s: %s%s", peer, status.message(), WhyNoAnswer(status.message(), location));
}

} // namespace duckherder::flight_protocol
