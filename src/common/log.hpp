#pragma once

#include "common/mutex.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace duckherder {

enum class LogLevel : uint8_t { INFO, WARNING, ERROR };
enum class LogFormat : uint8_t { TEXT, JSON };

//! What a node has to say to whoever runs it: one line for each event, on stderr or in a file. Never holds statements
//! or tokens. Thread-safe; a line that cannot be written is lost.
class Log {
public:
	//! With names that are literals
	using Fields = std::vector<std::pair<const char *, std::string>>;

	//! The only one of this process
	static Log &OfProcess();

	void SetFormat(LogFormat format);
	//! Nothing is written while it is silent, which a log is not from the start.
	void SetSilent(bool silent);
	//! Appends to that file from now on, which is made with mode 0600. Returns why not; empty if it can.
	std::string Open(const std::string &path);
	//! Opens the file anew, after somebody has moved it away. Without a file it does nothing.
	void Reopen();
	//! As text: "TIME LEVEL: MESSAGE". As JSON: the time, the level, the event, the message and the fields.
	void Write(LogLevel level, const char *event, const std::string &message, const Fields &fields = Fields());

	//! One line, with its end; `time` as ISO 8601. For tests
	static std::string Line(LogFormat format, const std::string &time, LogLevel level, const char *event,
	                        const std::string &message, const Fields &fields);

private:
	Log() = default;

	Mutex lock;
	LogFormat format GUARDED_BY(lock) = LogFormat::TEXT;
	bool silent GUARDED_BY(lock) = false;
	std::string path GUARDED_BY(lock);
	//! Of stderr or of the file
	int descriptor GUARDED_BY(lock) = 2;
};

} // namespace duckherder
