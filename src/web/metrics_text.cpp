#include "web/metrics_text.hpp"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

namespace duckherder {

namespace {

std::string Escaped(const std::string &value) {
	std::string result;
	for (auto character : value) {
		if (character == '\n') {
			result += "\\n";
			continue;
		}
		if (character == '\\' || character == '"') {
			result += '\\';
		}
		result += character;
	}
	return result;
}

std::string NumberText(double value) {
	char text[64];
	// whole numbers stay whole, whatever their size
	auto whole = value == std::floor(value) && std::fabs(value) < 9e15;
	snprintf(text, sizeof(text), whole ? "%.0f" : "%.15g", value);
	return text;
}

//! Seconds since the epoch; 0 if the system does not say
double ProcessStart() {
	std::ifstream file("/proc/self/stat");
	std::string line;
	std::getline(file, line);
	// the second field, the program's name, may hold spaces
	std::istringstream fields(line.substr(line.rfind(')') + 1));
	std::string field;
	constexpr int START_FIELD = 20;
	for (int i = 0; i < START_FIELD; i++) {
		fields >> field;
	}
	std::ifstream boot("/proc/stat");
	for (std::string word; boot >> word;) {
		if (word == "btime") {
			double boot_seconds = 0;
			boot >> boot_seconds;
			return boot_seconds + std::strtod(field.c_str(), nullptr) / static_cast<double>(sysconf(_SC_CLK_TCK));
		}
	}
	return 0;
}

uint64_t OpenFiles() {
	uint64_t count = 0;
	if (auto *directory = opendir("/proc/self/fd")) {
		while (readdir(directory)) {
			count++;
		}
		closedir(directory);
	}
	// without ".", ".." and the directory itself
	return count > 3 ? count - 3 : 0;
}

} // namespace

void MetricsText::Family(const char *name, const char *type, const char *help) {
	family = name;
	text += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

void MetricsText::Sample(double value, const Labels &labels) {
	SuffixedSample("", value, labels);
}

void MetricsText::Sample(uint64_t value, const Labels &labels) {
	SuffixedSample("", static_cast<double>(value), labels);
}

void MetricsText::SuffixedSample(const char *suffix, double value, const Labels &labels) {
	text += family + suffix;
	auto separator = "{";
	for (auto &label : labels) {
		text += std::string(separator) + label.first + "=\"" + Escaped(label.second) + "\"";
		separator = ",";
	}
	text += (labels.empty() ? " " : "} ") + NumberText(value) + "\n";
}

void MetricsText::Process() {
	rusage usage {};
	getrusage(RUSAGE_SELF, &usage);
	auto seconds = [](const timeval &time) {
		return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
	};
	Family("process_cpu_seconds_total", "counter", "User and system CPU time of the process.");
	Sample(seconds(usage.ru_utime) + seconds(usage.ru_stime));
	std::ifstream sizes("/proc/self/statm");
	uint64_t virtual_pages = 0;
	uint64_t resident_pages = 0;
	sizes >> virtual_pages >> resident_pages;
	auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
	Family("process_resident_memory_bytes", "gauge", "Memory of the process that is in RAM.");
	Sample(resident_pages * page);
	Family("process_virtual_memory_bytes", "gauge", "Address space of the process.");
	Sample(virtual_pages * page);
	Family("process_open_fds", "gauge", "Open file descriptors.");
	Sample(OpenFiles());
	rlimit files {};
	getrlimit(RLIMIT_NOFILE, &files);
	Family("process_max_fds", "gauge", "File descriptors that may be open.");
	Sample(static_cast<uint64_t>(files.rlim_cur));
	Family("process_start_time_seconds", "gauge", "When the process began, in seconds since the epoch.");
	Sample(ProcessStart());
}

} // namespace duckherder
