#include "test_worker_harness.hpp"
#include "transport/credentials/token.hpp"

#include "duckdb/common/error_data.hpp"

#include <gtest/gtest.h>

#include <barrier>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace duckherder {
namespace {

using duckdb::ExceptionType;

//! A variable of the environment, put back at the end
class Variable {
public:
	Variable(const char *name_p, const std::optional<std::string> &value) : name(name_p) {
		if (auto text = std::getenv(name)) {
			before = text;
		}
		Set(value);
	}
	~Variable() {
		Set(before);
	}
	void Set(const std::optional<std::string> &value) {
		if (value) {
			setenv(name, value->c_str(), 1);
		} else {
			unsetenv(name);
		}
	}

private:
	const char *name;
	std::optional<std::string> before;
};

class Token : public testing::Test {
protected:
	static std::string ReadFile(const std::string &path) {
		std::ifstream file(path);
		return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
	}
	std::string WriteFile(const std::string &name, const std::string &text, mode_t mode = 0600) {
		auto path = directory.File(name);
		std::ofstream(path) << text;
		EXPECT_EQ(chmod(path.c_str(), mode), 0);
		return path;
	}
	static mode_t ModeOf(const std::string &path) {
		struct stat info {};
		EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
		return info.st_mode & 07777;
	}
	static void ExpectRefused(const std::optional<std::string> &file, ExceptionType type, const std::string &named) {
		try {
			LoadOrCreateToken(file);
			ADD_FAILURE() << "nothing was thrown for " << named;
		} catch (std::exception &thrown) {
			duckdb::ErrorData error(thrown);
			EXPECT_EQ(duckdb::Exception::ExceptionTypeToString(error.Type()),
			          duckdb::Exception::ExceptionTypeToString(type))
			    << error.Message();
			EXPECT_NE(error.Message().find(named), std::string::npos) << error.Message();
		}
	}

	TestDirectory directory;
	std::string path = directory.File(".duckherder/token");
	Variable home {"HOME", directory.path};
	Variable file_variable {"DUCKHERDER_TOKEN_FILE", std::nullopt};
};

TEST_F(Token, IsMadeForItsOwnerOnly) {
	auto mask = umask(0);
	auto token = LoadOrCreateToken(std::nullopt);
	umask(mask);
	EXPECT_EQ(token.size(), 64U);
	EXPECT_EQ(token.find_first_not_of("0123456789abcdef"), std::string::npos) << token;
	EXPECT_EQ(ModeOf(path), 0600U);
	EXPECT_EQ(ModeOf(directory.File(".duckherder")), 0700U);
	EXPECT_EQ(ReadFile(path), token + "\n");
	EXPECT_EQ(LoadOrCreateToken(std::nullopt), token);
	// no drafts are left behind
	auto files = 0;
	for (auto &entry : std::filesystem::directory_iterator(directory.File(".duckherder"))) {
		static_cast<void>(entry);
		files++;
	}
	EXPECT_EQ(files, 1);
}

TEST_F(Token, ThreadsThatMakeItAtOnceGetTheSame) {
	for (auto round = 0; round < 20; round++) {
		std::filesystem::remove_all(directory.File(".duckherder"));
		constexpr int THREADS = 8;
		std::barrier start(THREADS);
		std::vector<std::string> tokens(THREADS);
		std::vector<std::thread> threads;
		for (auto &token : tokens) {
			threads.emplace_back([&] {
				start.arrive_and_wait();
				try {
					token = LoadOrCreateToken(std::nullopt);
				} catch (std::exception &error) {
					token = error.what();
				}
			});
		}
		for (auto &thread : threads) {
			thread.join();
		}
		for (auto &token : tokens) {
			EXPECT_EQ(token + "\n", ReadFile(path));
		}
	}
}

TEST_F(Token, ProcessesThatMakeItAtOnceGetTheSame) {
#ifdef __SANITIZE_THREAD__
	GTEST_SKIP() << "Arrow's allocator holds all its locks over a fork, more than ThreadSanitizer can follow";
#endif
	// a byte for each process that may start, then a line from each
	int gate[2];
	int answers[2];
	ASSERT_EQ(pipe(gate), 0);
	ASSERT_EQ(pipe(answers), 0);
	constexpr int PROCESSES = 8;
	std::vector<pid_t> children;
	for (auto i = 0; i < PROCESSES; i++) {
		auto child = fork();
		ASSERT_GE(child, 0);
		if (child == 0) {
			char byte;
			auto status = 1;
			if (read(gate[0], &byte, 1) == 1) {
				try {
					auto line = LoadOrCreateToken(std::nullopt) + "\n";
					status = write(answers[1], line.data(), line.size()) == static_cast<ssize_t>(line.size()) ? 0 : 2;
				} catch (std::exception &) {
					status = 3;
				}
			}
			_exit(status);
		}
		children.push_back(child);
	}
	ASSERT_EQ(write(gate[1], "12345678", PROCESSES), PROCESSES);
	for (auto child : children) {
		int status = -1;
		ASSERT_EQ(waitpid(child, &status, 0), child);
		EXPECT_EQ(status, 0);
	}
	close(answers[1]);
	std::string text;
	char buffer[4096];
	for (ssize_t size = 0; (size = read(answers[0], buffer, sizeof(buffer))) > 0;) {
		text.append(buffer, static_cast<size_t>(size));
	}
	std::string expected;
	for (auto i = 0; i < PROCESSES; i++) {
		expected += ReadFile(path);
	}
	EXPECT_EQ(text, expected);
	EXPECT_EQ(text.size(), PROCESSES * 65U);
	close(answers[0]);
	close(gate[0]);
	close(gate[1]);
}

TEST_F(Token, NamedFileComesFirstThenTheVariable) {
	auto named = WriteFile("named", "first\n");
	auto other = WriteFile("other", "second");
	EXPECT_EQ(LoadOrCreateToken(named), "first");
	file_variable.Set(other);
	EXPECT_EQ(LoadOrCreateToken(named), "first");
	EXPECT_EQ(LoadOrCreateToken(std::nullopt), "second");
	EXPECT_FALSE(std::filesystem::exists(path)) << "a token was made although another one is named";
	file_variable.Set("");
	auto made = LoadOrCreateToken(std::nullopt);
	EXPECT_EQ(made + "\n", ReadFile(path));
}

TEST_F(Token, NamedFilesAreNotMade) {
	auto missing = directory.File("missing");
	ExpectRefused(missing, ExceptionType::IO, missing);
	file_variable.Set(missing);
	ExpectRefused(std::nullopt, ExceptionType::IO, missing);
	EXPECT_FALSE(std::filesystem::exists(missing));
	EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(Token, FilesThatOthersMayUseAreRefused) {
	for (mode_t mode : {0640, 0604, 0644, 0660, 0601, 0610, 0620, 0602, 0777}) {
		auto file = WriteFile("token", "secret", mode);
		ExpectRefused(file, ExceptionType::PERMISSION, file);
	}
	for (mode_t mode : {0600, 0400, 0700}) {
		EXPECT_EQ(LoadOrCreateToken(WriteFile("mine", "secret", mode)), "secret");
	}
	LoadOrCreateToken(std::nullopt);
	EXPECT_EQ(chmod(path.c_str(), 0644), 0);
	ExpectRefused(std::nullopt, ExceptionType::PERMISSION, path);
}

TEST_F(Token, FilesWithoutATokenAreRefused) {
	for (auto &text : {std::string(), std::string("\n"), std::string(" \t\r\n\n")}) {
		auto file = WriteFile("token", text);
		ExpectRefused(file, ExceptionType::INVALID_INPUT, file);
	}
	// would break the header that it travels in
	for (auto &text : {std::string("two words"), std::string("one\ntwo"), std::string("a\0b", 3), std::string("tök\n"),
	                   std::string(100 << 10, 'x')}) {
		auto file = WriteFile("token", text);
		ExpectRefused(file, ExceptionType::INVALID_INPUT, file);
	}
	ExpectRefused(directory.path, ExceptionType::INVALID_INPUT, directory.path);
	EXPECT_EQ(LoadOrCreateToken(WriteFile("token", "windows\r\n")), "windows");
}

TEST_F(Token, EmptyFileAtHomeIsNotReplaced) {
	// somebody may be about to write it
	std::filesystem::create_directory(directory.File(".duckherder"));
	WriteFile(".duckherder/token", "");
	ExpectRefused(std::nullopt, ExceptionType::INVALID_INPUT, path);
	EXPECT_EQ(ReadFile(path), "");
}

TEST_F(Token, HomeThatCannotBeUsedIsAClearError) {
	home.Set(std::nullopt);
	ExpectRefused(std::nullopt, ExceptionType::INVALID_INPUT, "DUCKHERDER_TOKEN_FILE");
	home.Set("");
	ExpectRefused(std::nullopt, ExceptionType::INVALID_INPUT, "DUCKHERDER_TOKEN_FILE");
	home.Set(directory.File("missing"));
	ExpectRefused(std::nullopt, ExceptionType::IO, directory.File("missing"));
	home.Set(WriteFile("file", "x"));
	ExpectRefused(std::nullopt, ExceptionType::IO, directory.File("file"));
}

TEST_F(Token, TokensAreRandom) {
	std::set<std::string> tokens;
	for (auto i = 0; i < 100; i++) {
		tokens.insert(MakeToken());
	}
	EXPECT_EQ(tokens.size(), 100U);
	for (auto &token : tokens) {
		EXPECT_EQ(token.size(), 64U);
	}
}

TEST_F(Token, ComparisonIsExact) {
	auto token = MakeToken();
	EXPECT_TRUE(TokensEqual(token, token));
	EXPECT_TRUE(TokensEqual("", ""));
	EXPECT_FALSE(TokensEqual(token, ""));
	EXPECT_FALSE(TokensEqual("", token));
	EXPECT_FALSE(TokensEqual(token, token + token));
	EXPECT_FALSE(TokensEqual(token + token, token));
	EXPECT_FALSE(TokensEqual(std::string("a\0", 2), "a"));
	for (size_t i = 0; i < token.size(); i++) {
		auto other = token;
		other[i] = other[i] == 'x' ? 'y' : 'x';
		EXPECT_FALSE(TokensEqual(token, other)) << "differs at " << i;
		EXPECT_FALSE(TokensEqual(token, token.substr(0, i)));
		EXPECT_FALSE(TokensEqual(token.substr(0, i), token));
	}
}

} // namespace
} // namespace duckherder
