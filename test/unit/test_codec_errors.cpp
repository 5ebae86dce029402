#include "compat/names.hpp"
#include "wire/error_hints.hpp"
#include "wire/errors.hpp"

#include "duckdb/common/exception/conversion_exception.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <unistd.h>
#include <unordered_map>

namespace duckherder {
namespace {

using duckdb::ErrorData;
using duckdb::Exception;
using duckdb::ExceptionType;

std::string NameOf(ExceptionType type) {
	return Exception::ExceptionTypeToString(type);
}

ErrorKind KindOf(const std::exception &error) {
	return ToTaskError(error, "w1").kind;
}

Exception WithDetail(ExceptionType type, const std::string &name, const std::string &value) {
	return Exception({{name, value}}, type, "it broke");
}

//! What ThrowTaskError makes of it
ErrorData Thrown(const TaskError &error) {
	try {
		ThrowTaskError(error);
	} catch (std::exception &thrown) {
		return ErrorData(thrown);
	}
}

TEST(CodecErrors, KindFollowsFromTheClass) {
	EXPECT_EQ(KindOf(duckdb::InterruptException()), ErrorKind::CANCELLED);
	for (auto type : {ExceptionType::OUT_OF_MEMORY, ExceptionType::CONNECTION, ExceptionType::FATAL, ExceptionType::IO,
	                  ExceptionType::HTTP}) {
		EXPECT_EQ(KindOf(Exception(type, "it broke")), ErrorKind::WORKER_FAILURE) << NameOf(type);
	}
	for (auto type : {ExceptionType::CONVERSION, ExceptionType::OUT_OF_RANGE, ExceptionType::DIVIDE_BY_ZERO,
	                  ExceptionType::INVALID_INPUT, ExceptionType::CATALOG, ExceptionType::BINDER,
	                  ExceptionType::CONSTRAINT, ExceptionType::INTERNAL, ExceptionType::PERMISSION,
	                  ExceptionType::NOT_IMPLEMENTED, ExceptionType::SERIALIZATION, ExceptionType::SETTINGS}) {
		EXPECT_EQ(KindOf(Exception(type, "it broke")), ErrorKind::USER) << NameOf(type);
	}
}

TEST(CodecErrors, ErrorsThatAreNotDuckDBsHaveAKindToo) {
	EXPECT_EQ(KindOf(std::bad_alloc()), ErrorKind::WORKER_FAILURE);
	// what std::thread throws when there are too many
	EXPECT_EQ(KindOf(std::system_error(EAGAIN, std::generic_category(), "no thread")), ErrorKind::WORKER_FAILURE);
	EXPECT_EQ(KindOf(std::runtime_error("a bug")), ErrorKind::USER);
	EXPECT_NE(ToTaskError(std::runtime_error("a bug"), "w1").message.find("a bug"), std::string::npos);
}

TEST(CodecErrors, HttpAnswersThatMayChangeAreThePlaces) {
	for (auto status : {"0", "408", "425", "429", "500", "502", "503", "504"}) {
		EXPECT_EQ(KindOf(WithDetail(ExceptionType::HTTP, "status_code", status)), ErrorKind::WORKER_FAILURE) << status;
	}
	for (auto status : {"301", "400", "401", "403", "404", "410", "416", "499"}) {
		EXPECT_EQ(KindOf(WithDetail(ExceptionType::HTTP, "status_code", status)), ErrorKind::USER) << status;
	}
}

TEST(CodecErrors, IoErrorsAboutTheFileAreTheUsers) {
	for (auto number : {ENOENT, EACCES, EPERM, EISDIR, ENOTDIR, ELOOP, ENAMETOOLONG}) {
		auto error = WithDetail(ExceptionType::IO, "errno", std::to_string(number));
		EXPECT_EQ(KindOf(error), ErrorKind::USER) << strerror(number);
	}
	for (auto number : {EIO, ENOSPC, EMFILE, ENFILE, ESTALE, EDQUOT, ECONNRESET, ETIMEDOUT, EROFS}) {
		auto error = WithDetail(ExceptionType::IO, "errno", std::to_string(number));
		EXPECT_EQ(KindOf(error), ErrorKind::WORKER_FAILURE) << strerror(number);
	}
	EXPECT_EQ(KindOf(duckdb::IOException("No files found that match the pattern \"a*\"")), ErrorKind::USER);
	EXPECT_EQ(KindOf(duckdb::IOException("x: No files found that match the pattern")), ErrorKind::WORKER_FAILURE);
}

TEST(CodecErrors, DuckDBsOwnErrorsHaveTheRightKind) {
	duckdb::DuckDB db(nullptr);
	duckdb::Connection connection(db);
	auto kind_of = [&](const std::string &sql) {
		auto result = connection.Query(sql);
		EXPECT_TRUE(result->HasError()) << sql;
		return ToTaskError(result->GetErrorObject(), "w1").kind;
	};
	EXPECT_EQ(kind_of("FROM read_csv('no/such/file.csv')"), ErrorKind::USER);
	EXPECT_EQ(kind_of("FROM read_parquet('no/such/*.parquet')"), ErrorKind::USER);
	EXPECT_EQ(kind_of("COPY (SELECT 1) TO 'no/such/directory/file.csv'"), ErrorKind::USER);
	EXPECT_EQ(kind_of("SELECT 'a'::INT"), ErrorKind::USER);
	EXPECT_EQ(kind_of("SELECT error('mine')"), ErrorKind::USER);
	EXPECT_EQ(kind_of("FROM no_such_table"), ErrorKind::USER);
	EXPECT_EQ(kind_of("SET memory_limit = '5MB'; FROM range(10000000) a ORDER BY hash(range)"),
	          ErrorKind::WORKER_FAILURE);
	connection.Query("RESET memory_limit");
	if (access("/dev/full", W_OK) == 0) {
		// a disk without room, which only this place may have; an assertion of DuckDB's CSV writer fails there
		EXPECT_EQ(kind_of("COPY (FROM range(1000000)) TO '/dev/full' (FORMAT parquet, USE_TMP_FILE false)"),
		          ErrorKind::WORKER_FAILURE);
	}
}

TEST(CodecErrors, ClassAndMessageTravel) {
	auto error = ToTaskError(duckdb::ConversionException("Could not convert 'ä'"), "w1");
	EXPECT_EQ(error.exception_type, "Conversion");
	EXPECT_EQ(error.message, "Could not convert 'ä'");
	EXPECT_EQ(error.worker_id, "w1");
	EXPECT_EQ(error.lost_worker, "");
	auto thrown = Thrown(error);
	EXPECT_EQ(thrown.Type(), ExceptionType::CONVERSION);
	EXPECT_EQ(thrown.Message(), "Conversion Error: Could not convert 'ä' (on worker w1)");
	error.worker_id = "";
	EXPECT_EQ(Thrown(error).Message(), "Conversion Error: Could not convert 'ä'");
}

TEST(CodecErrors, EveryClassOfDuckDBTravels) {
	auto classes = 0;
	for (auto number = 1; number < 256; number++) {
		auto type = static_cast<ExceptionType>(number);
		auto name = NameOf(type);
		if (name == "Unknown" || Exception::StringToExceptionType(name) != type) {
			continue;
		}
		classes++;
		auto error = ToTaskError(Exception(type, "it broke"), "w1");
		EXPECT_EQ(error.exception_type, name);
		auto thrown = Thrown(error);
		if (type == ExceptionType::FATAL || type == ExceptionType::INTERNAL) {
			// thrown here as they are, they would shut down the database of this process
			EXPECT_EQ(thrown.Type(), ExceptionType::IO) << name;
			EXPECT_NE(thrown.RawMessage().find(name), std::string::npos) << thrown.RawMessage();
		} else {
			EXPECT_EQ(thrown.Type(), type) << name;
		}
		EXPECT_NE(thrown.RawMessage().find("it broke"), std::string::npos) << thrown.RawMessage();
		EXPECT_NE(thrown.RawMessage().find("(on worker w1)"), std::string::npos) << thrown.RawMessage();
	}
	EXPECT_GT(classes, 30);
}

TEST(CodecErrors, UnknownClassIsStillAnError) {
	auto thrown = Thrown({ErrorKind::USER, "Of a later version", "it broke", "w1", "", false, {}});
	EXPECT_TRUE(thrown.HasError());
	EXPECT_EQ(thrown.RawMessage(), "it broke (on worker w1)");
	EXPECT_TRUE(Thrown(TaskError()).HasError());
}

TEST(CodecErrors, PlaceIsNamedOnce) {
	// An error of w2 that w1 met when it read its input, and that the driver throws in the end.
	auto first = Thrown(ToTaskError(duckdb::IOException("disk gone"), "w2"));
	auto second = Thrown(ToTaskError(first, "w1"));
	EXPECT_EQ(second.RawMessage(), "disk gone (on worker w2)");
	EXPECT_EQ(second.Type(), ExceptionType::IO);
}

TEST(CodecErrors, LongMessagesAreCutBetweenCharacters) {
	for (size_t before = 0; before < 4; before++) {
		// the cut falls into each byte of a character of four
		auto message = std::string(before, 'x');
		while (message.size() < ERROR_MESSAGE_BYTES_MAX + 1000) {
			message += "😀";
		}
		auto error = ToTaskError(duckdb::InvalidInputException(message), "w1");
		EXPECT_LE(error.message.size(), ERROR_MESSAGE_BYTES_MAX + 100);
		EXPECT_GT(error.message.size(), ERROR_MESSAGE_BYTES_MAX - 4);
		EXPECT_TRUE(duckdb::Value::StringIsValid(error.message));
		auto mark = error.message.find("... (");
		ASSERT_NE(mark, std::string::npos);
		EXPECT_EQ(error.message.substr(mark), "... (" + std::to_string(message.size() - mark) + " more bytes)");
		EXPECT_EQ(error.message.substr(0, mark), message.substr(0, mark));
	}
}

TEST(CodecErrors, MessagesThatFitAreNotCut) {
	auto longest = std::string(ERROR_MESSAGE_BYTES_MAX, 'x');
	EXPECT_EQ(ToTaskError(duckdb::InvalidInputException(longest), "").message, longest);
	EXPECT_NE(ToTaskError(duckdb::InvalidInputException(longest + "x"), "").message, longest + "x");
	EXPECT_EQ(ToTaskError(duckdb::InvalidInputException(""), "").message, "");
}

TEST(CodecErrors, MessagesThatAreNoTextAreCutToo) {
	auto message = std::string(ERROR_MESSAGE_BYTES_MAX * 2, '\x80');
	auto error = ToTaskError(duckdb::InvalidInputException(message), "w1");
	EXPECT_LE(error.message.size(), ERROR_MESSAGE_BYTES_MAX + 100);
}

TEST(CodecErrors, WhatIsOfTheWorkerIsSaidToBe) {
	auto message = [](ExceptionType type, const std::string &text, const std::string &worker) {
		return ToTaskError(ErrorData(type, text), worker).message;
	};
	std::string invalidated = "Failed: database has been invalidated because of a previous fatal error.";
	EXPECT_NE(message(ExceptionType::FATAL, invalidated, "w1").find("worker's own database"), std::string::npos);
	EXPECT_EQ(message(ExceptionType::FATAL, invalidated, ""), invalidated);

	std::string missing = "Scalar Function with name \"st_point\" is not in the catalog, but it exists in the spatial "
	                      "extension.\n\nPlease try installing and loading the spatial extension:\nINSTALL spatial;\n"
	                      "LOAD spatial;\n\n";
	EXPECT_NE(message(ExceptionType::CATALOG, missing, "w1").find("SELECT duckherder_load_extension('spatial')"),
	          std::string::npos);
	EXPECT_EQ(message(ExceptionType::CATALOG, missing, ""), missing);
	std::string not_installed = "An error occurred while trying to automatically install the required extension "
	                            "'httpfs':\nFailed to download extension \"httpfs\" at URL \"http://nowhere\"";
	EXPECT_NE(message(ExceptionType::AUTOLOAD, not_installed, "w1").find("duckherder_load_extension('httpfs')"),
	          std::string::npos);
	EXPECT_EQ(message(ExceptionType::AUTOLOAD, not_installed, ""), not_installed);
	std::string unknown = "Scalar Function with name quack does not exist!\nDid you mean \"ceil\"?";
	EXPECT_NE(message(ExceptionType::CATALOG, unknown, "w1").find("duckherder_load_extension"), std::string::npos);
	// passed on by another node
	for (auto &text : {missing, not_installed, unknown, invalidated}) {
		auto once = message(ExceptionType::CATALOG, text, "w1");
		EXPECT_EQ(message(ExceptionType::CATALOG, once, "w2"), once);
	}
	std::string other = "Could not convert string 'LOAD x;' to INT32";
	EXPECT_EQ(message(ExceptionType::CONVERSION, other, "w1"), other);
}

TEST(CodecErrors, RefusalsOfAStoreSayWhoseSecretsWorkersHave) {
	for (auto status : {"401", "403"}) {
		auto error = ToTaskError(WithDetail(ExceptionType::HTTP, "status_code", status), "w1");
		EXPECT_NE(error.message.find("workers do not have the session's"), std::string::npos) << error.message;
		EXPECT_EQ(ToTaskError(WithDetail(ExceptionType::HTTP, "status_code", status), "").message, "it broke");
	}
	EXPECT_EQ(ToTaskError(WithDetail(ExceptionType::HTTP, "status_code", "404"), "w1").message, "it broke");
}

TEST(CodecErrors, ErrorsOfDecodersNameTheFiles) {
	auto named = [](ExceptionType type, const std::string &message, const std::vector<std::string> &paths) {
		auto error = ToTaskError(ErrorData(type, message), "w1");
		NameFiles(error, paths);
		return error.message;
	};
	auto thrift = [&](const std::vector<std::string> &paths) {
		return named(ExceptionType::INVALID, "TProtocolException: Invalid data", paths);
	};
	EXPECT_EQ(thrift({"/d/a.parquet"}),
	          "TProtocolException: Invalid data (while '/d/a.parquet' was read: it is damaged, "
	          "or has changed meanwhile)");
	EXPECT_NE(thrift({"/f1", "/f2"}).find("'/f1' or '/f2' was read"), std::string::npos);
	EXPECT_NE(thrift({"/f1", "/f2", "/f3", "/f4", "/f5"}).find("'/f1', '/f2', '/f3' or one of 2 others"),
	          std::string::npos);
	EXPECT_EQ(thrift({}), "TProtocolException: Invalid data");
	EXPECT_EQ(named(ExceptionType::INVALID, "bad page in a.parquet", {"/d/a.parquet"}), "bad page in a.parquet");
	// the values of a row are at fault, wherever they are stored
	EXPECT_EQ(named(ExceptionType::CONVERSION, "no number", {"/d/a.parquet"}), "no number");
}

} // namespace
} // namespace duckherder
