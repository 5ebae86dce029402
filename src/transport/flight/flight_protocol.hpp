#pragma once

#include "common/task_error.hpp"

#include <arrow/buffer.h>
#include <arrow/result.h>
#include <arrow/status.h>

#include <memory>
#include <string>
#include <vector>

namespace arrow {
class RecordBatch;
namespace ipc {
struct IpcPayload;
}
} // namespace arrow

//! What both ends of a Flight connection agree on, beyond the messages of codec/.
namespace duckherder::flight_protocol {

constexpr const char *AUTHORIZATION_HEADER = "authorization";
constexpr const char *BEARER_PREFIX = "Bearer ";
constexpr const char *BASIC_PREFIX = "Basic ";

//! Descriptor of the DoExchange that runs a task
constexpr const char *RUN_TASK = "duckherder.run_task";
//! Its first message has three parts: the request, the types of the feed, and this if the request was encoded without
//! its stage
constexpr const char *WITHOUT_STAGE = "without_stage";

//! First part of the ticket of a statement's result; then the SessionStatement and the types
constexpr const char *STATEMENT = "duckherder.statement";
//! First part of the descriptor of rows for a session; then the session, the number and the types
constexpr const char *UPLOAD = "duckherder.upload";

//! All that travels beside rows does so in this form, which has a checksum. Unpack throws IOException, as the
//! connection is at fault, if the bytes are not those that were sent, and SerializationException if they never were
//! parts.
std::string Pack(const std::vector<std::string> &parts);
std::vector<std::string> Unpack(const std::string &bytes);

//! Throws SerializationException if a call came with another number of parts
void CheckParts(const std::vector<std::string> &parts, size_t count);

//! Frames that travel beside data or alone, and the answer to an action: the kind, and what belongs to it.
enum class FrameKind : uint8_t {
	END,    //! of a stream: the number of rows that it had
	ERROR,  //! a TaskError
	ALIVE,  //! nothing has happened, but the sender is there
	RESULT, //! of a task: a TaskResult
	REPLY,  //! to an action: what it returns
	RESEND, //! to a task's request: what the tasks of its stage have in common is not known here
	ROWS    //! beside a batch: its checksum
};

struct StreamFrame {
	FrameKind kind = FrameKind::ALIVE;
	std::string body;
};

std::string EncodeFrame(const StreamFrame &frame);
//! Throws as Unpack does
StreamFrame DecodeFrame(const std::string &bytes);

std::shared_ptr<arrow::Buffer> FrameBuffer(const StreamFrame &frame);
StreamFrame DecodeFrame(const arrow::Buffer &buffer);
StreamFrame EndFrame(uint64_t rows);
//! What goes with a batch
std::shared_ptr<arrow::Buffer> RowsFrame(const arrow::RecordBatch &batch, const arrow::ipc::IpcPayload &payload);
arrow::Result<std::shared_ptr<arrow::Buffer>> RowsFrame(const arrow::RecordBatch &batch);
//! Throws IOException if the batch is not the one that was sent
void CheckRows(const StreamFrame &frame, const arrow::RecordBatch &batch);
StreamFrame ErrorFrame(const TaskError &error);

//! Ends a stream of `rows` rows by its frame: throws the error that it brings, or IOException if rows are missing.
void CheckEnd(const StreamFrame &frame, uint64_t rows);

//! Throws IOException about the peer, PermissionException if it refused our token, which is from `token_source`.
//! `location` is where a peer was called that has never answered there: the error says if only one side uses TLS.
void CheckCall(const arrow::Status &status, const std::string &peer, const std::string &token_source = {},
               const std::string &location = {});

} // namespace duckherder::flight_protocol
