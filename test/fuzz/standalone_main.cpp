// Runs a fuzz target without libFuzzer, so that any compiler can: every input of its corpus, then the same with random
// changes. One seed is one sequence of inputs.
//
//     fuzz_TARGET [--runs N] [--seed N] CORPUS...        files, or directories of them
//     fuzz_TARGET --write-samples DIRECTORY              the valid samples that the corpus begins with

#include "fuzz/fuzz_target.hpp"

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
// so that a report ends in KeepInput as well; what DuckDB keeps until the end is no leak of ours
extern "C" const char *__asan_default_options() {
	return "abort_on_error=1:detect_leaks=0:allocator_may_return_null=0:max_allocation_size_mb=1024";
}
#endif

namespace duckherder::fuzz {

namespace {

constexpr size_t INPUT_BYTES_MAX = 64 * 1024;
constexpr const char *FINDING_FILE = "fuzz-finding";

//! The input that runs now, for KeepInput
const std::string *current = nullptr;

void KeepInput(int signal) {
	// only what a signal handler may call
	auto file = open(FINDING_FILE, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	if (file >= 0 && current) {
		auto written = write(file, current->data(), current->size());
		static_cast<void>(written);
		close(file);
	}
	constexpr char MESSAGE[] = "the input is in the file fuzz-finding\n";
	auto written = write(STDERR_FILENO, MESSAGE, sizeof(MESSAGE) - 1);
	static_cast<void>(written);
	std::signal(signal, SIG_DFL);
	raise(signal);
}

void Run(const std::string &input) {
	current = &input;
	LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(input.data()), input.size());
	current = nullptr;
}

std::string ReadFile(const std::filesystem::path &path) {
	std::ifstream file(path, std::ios::binary);
	return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::vector<std::string> ReadCorpus(const std::vector<std::string> &names) {
	std::vector<std::filesystem::path> paths;
	for (auto &name : names) {
		if (!std::filesystem::is_directory(name)) {
			paths.emplace_back(name);
			continue;
		}
		for (auto &entry : std::filesystem::directory_iterator(name)) {
			paths.push_back(entry.path());
		}
	}
	std::sort(paths.begin(), paths.end());
	std::vector<std::string> result;
	for (auto &path : paths) {
		result.push_back(ReadFile(path));
	}
	return result;
}

//! One small change, of the kinds that find bugs in decoders: numbers at their ends, and parts that are elsewhere
void Change(std::string &input, const std::vector<std::string> &corpus, std::mt19937_64 &random) {
	static constexpr uint64_t NUMBERS[] = {0,
	                                       1,
	                                       0x7F,
	                                       0x80,
	                                       0xFF,
	                                       0x7FFF,
	                                       0xFFFF,
	                                       0x7FFFFFFF,
	                                       0xFFFFFFFF,
	                                       0x7FFFFFFFFFFFFFFF,
	                                       0x8000000000000000,
	                                       0xFFFFFFFFFFFFFFFF};
	auto at = input.empty() ? 0 : random() % input.size();
	auto length = std::min<size_t>(1 + random() % 16, input.size() - at);
	switch (random() % 8) {
	case 0:
		input.insert(at, 1 + random() % 8, static_cast<char>(random()));
		break;
	case 1:
		input.erase(at, length);
		break;
	case 2:
		input.resize(at);
		break;
	case 3:
		input.insert(random() % (input.size() + 1), input.substr(at, length));
		break;
	case 4: {
		auto &other = corpus[random() % corpus.size()];
		auto from = other.empty() ? 0 : random() % other.size();
		input.replace(at, length, other.substr(from, 1 + random() % 64));
		break;
	}
	case 5: {
		auto number = NUMBERS[random() % std::size(NUMBERS)] + random() % 3 - 1;
		length = std::min<size_t>(1ULL << (random() % 4), input.size() - at);
		std::memcpy(input.data() + at, &number, length);
		break;
	}
	default:
		if (!input.empty()) {
			input[at] = static_cast<char>(random() % 2 ? random() : input[at] ^ (1 << (random() % 8)));
		}
		break;
	}
	input.resize(std::min(input.size(), INPUT_BYTES_MAX));
}

void WriteSamples(const std::filesystem::path &directory) {
	std::filesystem::create_directories(directory);
	auto number = 0;
	for (auto &sample : Samples()) {
		std::ofstream(directory / ("sample-" + std::to_string(number++)), std::ios::binary) << sample;
	}
}

int Main(int argc, char **argv) {
	uint64_t runs = 0;
	uint64_t seed = 1;
	std::vector<std::string> names;
	for (auto i = 1; i < argc; i++) {
		std::string argument = argv[i];
		if (argument.rfind("--", 0) == 0 && i + 1 == argc) {
			std::cerr << argument << " needs a value\n";
			return 2;
		}
		if (argument == "--runs") {
			runs = std::stoull(argv[++i]);
		} else if (argument == "--seed") {
			seed = std::stoull(argv[++i]);
		} else if (argument == "--write-samples") {
			WriteSamples(argv[++i]);
			return 0;
		} else {
			names.push_back(std::move(argument));
		}
	}
	auto corpus = ReadCorpus(names);
	if (corpus.empty()) {
		std::cerr << "there is no corpus\n";
		return 2;
	}
	std::signal(SIGABRT, KeepInput);
#if !defined(__SANITIZE_ADDRESS__)
	// AddressSanitizer reports it and aborts
	std::signal(SIGSEGV, KeepInput);
#endif
	for (auto &input : corpus) {
		Run(input);
	}
	std::mt19937_64 random(seed);
	for (uint64_t run = 0; run < runs; run++) {
		auto input = corpus[random() % corpus.size()];
		for (auto changes = 1 + random() % 4; changes > 0; changes--) {
			Change(input, corpus, random);
		}
		Run(input);
	}
	std::cout << corpus.size() << " inputs of the corpus, " << runs << " changed ones\n";
	return 0;
}

} // namespace

} // namespace duckherder::fuzz

int main(int argc, char **argv) {
	return duckherder::fuzz::Main(argc, argv);
}
