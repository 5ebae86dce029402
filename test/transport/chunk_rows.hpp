#pragma once

#include "protocol/chunk_source.hpp"

#include "duckdb.hpp"
#include "duckdb/common/types/column/column_data_collection.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace duckherder {

//! Rows as text, which tells NULLs, nested values and -0.0 apart
using Rows = std::vector<std::string>;

inline std::string RowText(duckdb::DataChunk &chunk, duckdb::idx_t row) {
	std::string text;
	for (duckdb::idx_t column = 0; column < chunk.ColumnCount(); column++) {
		text += (column ? "|" : "") + chunk.GetValue(column, row).ToString();
	}
	return text;
}

//! Rows with the batch index of their chunk
using NumberedRows = std::vector<std::pair<duckdb::idx_t, std::string>>;

//! Reads on until the end, or until the reader throws
inline void ReadOn(ChunkReader &reader, const duckdb::vector<duckdb::LogicalType> &types, NumberedRows &rows) {
	duckdb::DataChunk chunk;
	if (types.empty()) {
		chunk.InitializeEmpty(types);
	} else {
		chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
	}
	while (true) {
		chunk.Reset();
		reader.Next(chunk);
		if (chunk.size() == 0) {
			return;
		}
		for (duckdb::idx_t i = 0; i < chunk.size(); i++) {
			rows.emplace_back(reader.BatchIndex(), RowText(chunk, i));
		}
	}
}

//! All rows in the order that the batch indexes give them, read by so many threads. Throws what a reader threw.
inline Rows ReadAll(ChunkSource &source, duckdb::idx_t reader_count = 1) {
	std::vector<NumberedRows> parts(reader_count);
	std::vector<std::exception_ptr> errors(reader_count);
	std::vector<std::thread> threads;
	for (duckdb::idx_t i = 0; i < reader_count; i++) {
		threads.emplace_back([&, i] {
			try {
				ReadOn(*source.OpenReader(), source.Types(), parts[i]);
			} catch (...) {
				errors[i] = std::current_exception();
			}
		});
	}
	for (auto &thread : threads) {
		thread.join();
	}
	NumberedRows all;
	for (duckdb::idx_t i = 0; i < reader_count; i++) {
		if (errors[i]) {
			std::rethrow_exception(errors[i]);
		}
		all.insert(all.end(), parts[i].begin(), parts[i].end());
	}
	std::stable_sort(all.begin(), all.end(), [](auto &left, auto &right) { return left.first < right.first; });
	Rows rows;
	for (auto &row : all) {
		rows.push_back(std::move(row.second));
	}
	return rows;
}

//! What a query returns in a DuckDB of the test's own; throws its error
inline std::shared_ptr<duckdb::ColumnDataCollection> QueryRows(const std::string &sql) {
	static duckdb::DuckDB db(nullptr);
	auto result = duckdb::Connection(db).Query(sql);
	if (result->HasError()) {
		result->ThrowError();
	}
	return result->TakeCollection();
}

inline Rows TextOf(const duckdb::ColumnDataCollection &collection) {
	Rows rows;
	for (auto &chunk : collection.Chunks()) {
		for (duckdb::idx_t i = 0; i < chunk.size(); i++) {
			rows.push_back(RowText(chunk, i));
		}
	}
	return rows;
}

} // namespace duckherder
