#include "common/log.hpp"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <unistd.h>

namespace duckherder {

namespace {

const char *LevelName(LogLevel level) {
	switch (level) {
	case LogLevel::INFO:
		return "info";
	case LogLevel::WARNING:
		return "warning";
	case LogLevel::ERROR:
		return "error";
	}
	return "unknown";
}

//! ISO 8601 with milliseconds, in UTC
std::string TimeText() {
	auto now = std::chrono::system_clock::now().time_since_epoch();
	auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
	auto seconds = static_cast<time_t>(ms / 1000);
	tm parts {};
	gmtime_r(&seconds, &parts);
	char text[40];
	auto length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + length, sizeof(text) - length, ".%03dZ", static_cast<int>(ms % 1000));
	return text;
}

//! As a JSON string
std::string Quoted(const std::string &text) {
	std::string result = "\"";
	for (auto character : text) {
		auto byte = static_cast<unsigned char>(character);
		if (character == '"' || character == '\\') {
			result += '\\';
			result += character;
		} else if (character == '\n') {
			result += "\\n";
		} else if (byte < ' ') {
			char code[8];
			snprintf(code, sizeof(code), "\\u%04x", byte);
			result += code;
		} else {
			result += character;
		}
	}
	return result + "\"";
}

//! A message of several lines stays one entry that can be told from the next
std::string Indented(const std::string &text) {
	std::string result;
	for (auto character : text) {
		result += character;
		if (character == '\n') {
			result += "  ";
		}
	}
	return result;
}

int OpenForAppending(const std::string &path) {
	return open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

} // namespace

Log &Log::OfProcess() {
	static Log log;
	return log;
}

void Log::SetFormat(LogFormat format_p) {
	MutexLock guard(lock);
	format = format_p;
}

void Log::SetSilent(bool silent_p) {
	MutexLock guard(lock);
	silent = silent_p;
}

std::string Log::Open(const std::string &path_p) {
	auto opened = OpenForAppending(path_p);
	if (opened < 0) {
		return strerror(errno);
	}
	MutexLock guard(lock);
	if (!path.empty()) {
		close(descriptor);
	}
	path = path_p;
	descriptor = opened;
	return std::string();
}

void Log::Reopen() {
	MutexLock guard(lock);
	auto opened = path.empty() ? -1 : OpenForAppending(path);
	// what cannot be opened anew stays as it is
	if (opened >= 0) {
		close(descriptor);
		descriptor = opened;
	}
}

std::string Log::Line(LogFormat format, const std::string &time, LogLevel level, const char *event,
                      const std::string &message, const Fields &fields) {
	if (format == LogFormat::TEXT) {
		return time + " " + LevelName(level) + ": " + Indented(message) + "\n";
	}
	std::string line = "{\"time\":" + Quoted(time) + ",\"level\":" + Quoted(LevelName(level)) +
	                   ",\"event\":" + Quoted(event) + ",\"message\":" + Quoted(message);
	for (auto &field : fields) {
		line += "," + Quoted(field.first) + ":" + Quoted(field.second);
	}
	return line + "}\n";
}

void Log::Write(LogLevel level, const char *event, const std::string &message, const Fields &fields) {
	auto time = TimeText();
	MutexLock guard(lock);
	if (silent) {
		return;
	}
	auto line = Line(format, time, level, event, message, fields);
	// in one piece, so that lines of several processes in one file do not mix
	static_cast<void>(write(descriptor, line.data(), line.size()));
}

} // namespace duckherder
