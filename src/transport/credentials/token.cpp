#include "transport/credentials/token.hpp"

#include "common/limits.hpp"
#include "transport/credentials/access.hpp"

#include "duckdb/common/exception.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace duckherder {

using duckdb::InvalidInputException;
using duckdb::IOException;

namespace {

constexpr size_t TOKEN_BYTES = 32;
//! More is no token but some other file
constexpr uint64_t TOKEN_FILE_BYTES_MAX = 64 << 10;

//! The text of a file that only its owner may use
std::string ReadSecretFile(const std::string &path) {
	struct stat info;
	if (stat(path.c_str(), &info) != 0) {
		throw IOException("Cannot read the token file '%s': %s", path, strerror(errno));
	}
	if (!S_ISREG(info.st_mode) || static_cast<uint64_t>(info.st_size) > TOKEN_FILE_BYTES_MAX) {
		throw InvalidInputException("'%s' is not a token file: it should hold one line of text", path);
	}
	if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		throw duckdb::PermissionException("Others than its owner may use the token file '%s': run chmod 600 on it",
		                                  path);
	}
	std::ifstream file(path, std::ios::binary);
	std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
	if (!file) {
		throw IOException("Cannot read the token file '%s'", path);
	}
	return text;
}

//! It travels as an HTTP header
bool IsToken(const std::string &text) {
	return !text.empty() && std::all_of(text.begin(), text.end(),
	                                    [](unsigned char character) { return character > ' ' && character <= '~'; });
}

std::string ReadToken(const std::string &path) {
	auto text = ReadSecretFile(path);
	auto end = text.find_last_not_of(" \t\r\n");
	text.resize(end == std::string::npos ? 0 : end + 1);
	if (text.empty()) {
		throw InvalidInputException("The token file '%s' is empty", path);
	}
	if (!IsToken(text)) {
		throw InvalidInputException("The token file '%s' holds more than one word of printable ASCII", path);
	}
	return text;
}

//! Leaves a complete file at `path` that this or another process wrote: it appears under its name all at once.
void MakeTokenFile(const std::string &path) {
	auto draft = path + "." + std::to_string(getpid()) + "." + MakeToken().substr(0, 8);
	auto file = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (file < 0) {
		throw IOException("Cannot write the token file '%s': %s", draft, strerror(errno));
	}
	auto text = MakeToken() + "\n";
	auto written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(file) == 0;
	auto cause = errno;
	close(file);
	auto placed = written && (link(draft.c_str(), path.c_str()) == 0 || errno == EEXIST);
	if (written && !placed) {
		cause = errno;
	}
	unlink(draft.c_str());
	if (!placed) {
		throw IOException("Cannot write the token file '%s': %s", path, strerror(cause));
	}
}

constexpr const char *TOKEN_DIRECTORY = "/.duckherder";
constexpr const char *TOKEN_NAME = "/token";
//! This process made the file in the home directory
std::atomic<bool> made_here {false};

//! The file that the caller or the environment names
std::optional<std::string> NamedTokenFile(const std::optional<std::string> &named_file) {
	if (named_file) {
		return named_file;
	}
	auto variable = std::getenv("DUCKHERDER_TOKEN_FILE");
	return variable && *variable ? std::make_optional<std::string>(variable) : std::nullopt;
}

std::string HomeDirectory() {
	auto home = std::getenv("HOME");
	if (!home || !*home) {
		throw InvalidInputException("There is no home directory for the token file: set DUCKHERDER_TOKEN_FILE");
	}
	return home;
}

} // namespace

std::string MakeToken() {
	unsigned char bytes[TOKEN_BYTES];
	if (getrandom(bytes, sizeof(bytes), 0) != static_cast<ssize_t>(sizeof(bytes))) {
		throw IOException("The system gave no random bytes: %s", strerror(errno));
	}
	static constexpr char DIGITS[] = "0123456789abcdef";
	std::string token;
	for (auto byte : bytes) {
		token += DIGITS[byte >> 4];
		token += DIGITS[byte & 15];
	}
	return token;
}

bool TokensEqual(const std::string &left, const std::string &right) {
	// The length is no secret. Every byte is compared, whatever was found before.
	unsigned char difference = left.size() == right.size() ? 0 : 1;
	for (size_t i = 0; i < left.size(); i++) {
		auto other = right.empty() ? 0 : right[i % right.size()];
		difference = static_cast<unsigned char>(difference | (left[i] ^ other));
	}
	return difference == 0;
}

std::vector<ClientToken> LoadClientTokens(const std::string &path) {
	std::vector<ClientToken> result;
	if (path.empty()) {
		return result;
	}
	std::istringstream lines(ReadSecretFile(path));
	std::string line;
	for (uint64_t number = 1; std::getline(lines, line); number++) {
		std::istringstream words(line);
		std::string name;
		std::string more;
		ClientToken entry;
		if (!(words >> name) || name[0] == '#') {
			continue;
		}
		entry.role = name == "write" ? Role::WRITE : name == "admin" ? Role::ADMIN : Role::READ;
		// the line holds a token, so the error does not show it
		if (name != RoleName(entry.role) || !(words >> entry.token) || !IsToken(entry.token) || words >> more) {
			throw InvalidInputException("Line %llu of the token file '%s' is not 'read TOKEN', 'write TOKEN' or 'admin "
			                            "TOKEN'",
			                            number, path);
		}
		result.push_back(std::move(entry));
	}
	if (result.size() > limits::CLIENT_TOKENS_MAX) {
		throw InvalidInputException("The token file '%s' has %llu tokens, a node takes %llu", path, result.size(),
		                            limits::CLIENT_TOKENS_MAX);
	}
	return result;
}

std::string LoadOrCreateToken(const std::optional<std::string> &named_file) {
	auto named = NamedTokenFile(named_file);
	if (named) {
		return ReadToken(*named);
	}
	auto directory = HomeDirectory() + TOKEN_DIRECTORY;
	if (mkdir(directory.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
		throw IOException("Cannot make the directory '%s': %s", directory, strerror(errno));
	}
	auto path = directory + TOKEN_NAME;
	if (access(path.c_str(), F_OK) != 0) {
		MakeTokenFile(path);
		made_here = true;
	}
	return ReadToken(path);
}

std::string LoadToken(const std::optional<std::string> &named_file) {
	auto named = NamedTokenFile(named_file);
	if (named) {
		return ReadToken(*named);
	}
	auto path = HomeDirectory() + TOKEN_DIRECTORY + TOKEN_NAME;
	if (access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
		throw IOException("There is no token file '%s': copy that of the cluster's nodes there, or name a file with "
		                  "$DUCKHERDER_TOKEN_FILE. The first node that starts on a machine makes one",
		                  path);
	}
	return ReadToken(path);
}

std::string DescribeTokenFile(const std::optional<std::string> &named_file) {
	auto named = NamedTokenFile(named_file);
	auto home = std::getenv("HOME");
	auto path = named ? *named : (home ? home : "~") + std::string(TOKEN_DIRECTORY) + TOKEN_NAME;
	return "the token in '" + path + "'" +
	       (!named && made_here ? ", which was made just now because there was none" : "");
}

} // namespace duckherder
