#pragma once

#include "compat/names.hpp"

#include "duckdb.hpp"
#include "duckdb/common/error_data.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

//! What each target is made of: LLVMFuzzerTestOneInput, for libFuzzer and for standalone_main.cpp, and its samples.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace duckherder::fuzz {

//! Small valid inputs, made by our own encoders: what the corpus begins with.
std::vector<std::string> Samples();

[[noreturn]] inline void Finding(const std::string &what) {
	std::fprintf(stderr, "finding: %s\n", what.c_str());
	std::abort();
}

inline void Expect(bool holds, const char *what) {
	if (!holds) {
		Finding(what);
	}
}

//! Runs what decodes the input. An error is an answer, unless it is one of ours or DuckDB's about itself, or no
//! exception of DuckDB's at all (a failed allocation, an index out of bounds).
template <class FUNCTION>
void Decode(FUNCTION decode) {
	try {
		decode();
	} catch (const duckdb::Exception &error) {
		duckdb::ErrorData data(error);
		if (data.Type() == duckdb::ExceptionType::INTERNAL || data.Type() == duckdb::ExceptionType::FATAL) {
			Finding(data.Message());
		}
	} catch (const std::exception &error) {
		Finding(std::string("not an exception of DuckDB's: ") + error.what());
	}
}

//! The input as a string of its own, so that what reads beyond it is noticed
inline std::string Text(const uint8_t *data, size_t size) {
	return std::string(reinterpret_cast<const char *>(data), size);
}

//! Reads every value, down to the last byte of its text
inline uint64_t ReadAll(duckdb::DataChunk &chunk) {
	uint64_t sum = 0;
	for (duckdb::idx_t column = 0; column < chunk.ColumnCount(); column++) {
		for (duckdb::idx_t row = 0; row < chunk.size(); row++) {
			for (auto byte : chunk.GetValue(column, row).ToString()) {
				sum += static_cast<uint8_t>(byte);
			}
		}
	}
	return sum;
}

} // namespace duckherder::fuzz
