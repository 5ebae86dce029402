#include "server/statement_result.hpp"

#include "compat/results.hpp"
#include "server/result_queue.hpp"

#include <atomic>
#include <thread>

namespace duckherder {

using namespace duckdb;

namespace {

//! A statement that runs, on a thread of its own which DuckDB's threads help. It has the connection until it ends.
class Execution {
public:
	Execution(Connection &connection_p, bool encoded_p, GoneCheck gone_p, std::function<void(bool started)> on_change_p,
	          std::function<void(ErrorData &error)> on_error_p)
	    : connection(connection_p), encoded(encoded_p), gone(std::move(gone_p)), on_change(std::move(on_change_p)),
	      on_error(std::move(on_error_p)), queue(std::make_shared<ResultQueue>()) {
	}

	~Execution() {
		End();
	}

	//! Returns once it runs. Throws what it fails with before.
	void Start(unique_ptr<SQLStatement> statement, vector<Value> parameters) {
		InstallResultQueue(*connection.context, queue, encoded);
		thread = std::thread([this, own = std::move(statement), values = std::move(parameters)]() mutable {
			Run(std::move(own), values);
		});
		types = queue->WaitForTypes();
		on_change(true);
	}

	const vector<LogicalType> &Types() const {
		return types;
	}

	//! Nothing at the end
	ResultRows Fetch() {
		while (on_change) {
			if (gone && gone()) {
				throw InterruptException();
			}
			bool at_end = false;
			auto rows = queue->Take(at_end);
			if (rows) {
				return rows;
			}
			if (at_end) {
				read_all = true;
				End();
			}
		}
		return {};
	}

	void End() {
		if (!on_change) {
			return;
		}
		queue->Close();
		if (!read_all) {
			// a task of an operator with many rows looks at nothing else
			connection.Interrupt();
		}
		if (thread.joinable()) {
			thread.join();
		}
		try {
			// tasks of a statement that was not read to its end
			connection.context->CancelTransaction();
		} catch (...) { // NOLINT: what is left of it goes with the transaction
		}
		auto call = std::move(on_change);
		on_change = nullptr;
		call(false);
	}

private:
	void Run(unique_ptr<SQLStatement> statement, const vector<Value> &parameters) {
		try {
			RunToEnd(connection, std::move(statement), parameters, [this] { return queue->IsClosed(); });
			RemoveResultQueue(*connection.context);
			queue->Finish();
		} catch (const std::exception &exception) {
			RemoveResultQueue(*connection.context);
			ErrorData error(exception);
			on_error(error);
			queue->Fail(std::move(error));
		}
	}

	Connection &connection;
	const bool encoded;
	GoneCheck gone;
	std::function<void(bool started)> on_change;
	const std::function<void(ErrorData &error)> on_error;
	std::shared_ptr<ResultQueue> queue;
	vector<LogicalType> types;
	std::thread thread;
	bool read_all = false;
};

class StatementReader : public ChunkReader {
public:
	StatementReader(const vector<LogicalType> &types_p, std::shared_ptr<Execution> execution_p)
	    : types(types_p), execution(std::move(execution_p)) {
	}

	void Next(DataChunk &chunk) override {
		fetched = execution->Fetch().chunk;
		if (!fetched) {
			chunk.SetChildCardinality(0);
			return;
		}
		chunk.Reference(*fetched);
		batch++;
	}

	idx_t BatchIndex() const override {
		return batch;
	}

private:
	const vector<LogicalType> types;
	std::shared_ptr<Execution> execution;
	unique_ptr<DataChunk> fetched;
	idx_t batch = 0;
};

class StatementBatches : public BatchReader {
public:
	explicit StatementBatches(std::shared_ptr<Execution> execution_p) : execution(std::move(execution_p)) {
	}

	std::shared_ptr<arrow::RecordBatch> Next() override {
		return execution->Fetch().batch;
	}

private:
	std::shared_ptr<Execution> execution;
};

class StatementSource : public ChunkSource {
public:
	StatementSource(vector<LogicalType> types_p, bool encoded_p, std::shared_ptr<Execution> execution_p)
	    : types(std::move(types_p)), encoded(encoded_p), execution(std::move(execution_p)) {
	}
	const vector<LogicalType> &Types() const override {
		return types;
	}
	idx_t MaxReaders() const override {
		return 1;
	}
	std::unique_ptr<ChunkReader> OpenReader() override {
		return std::make_unique<StatementReader>(types, Take(false));
	}
	std::unique_ptr<BatchReader> OpenBatchReader() override {
		return encoded ? std::make_unique<StatementBatches>(Take(true)) : nullptr;
	}

private:
	std::shared_ptr<Execution> Take(bool as_batches) {
		if (opened.exchange(true) || as_batches != encoded) {
			throw InternalException("the result of a statement has only one reader");
		}
		return std::move(execution);
	}

	const vector<LogicalType> types;
	const bool encoded;
	std::shared_ptr<Execution> execution;
	std::atomic<bool> opened {false};
};

class BufferedSource : public ChunkSource {
public:
	explicit BufferedSource(shared_ptr<ColumnDataCollection> rows_p) : rows(std::move(rows_p)) {
	}
	const vector<LogicalType> &Types() const override {
		return rows->Types();
	}
	idx_t MaxReaders() const override {
		return 1;
	}
	std::unique_ptr<ChunkReader> OpenReader() override {
		return std::make_unique<Reader>(rows);
	}

private:
	class Reader : public ChunkReader {
	public:
		explicit Reader(shared_ptr<ColumnDataCollection> rows_p) : rows(std::move(rows_p)) {
			rows->InitializeScan(state);
		}
		void Next(DataChunk &chunk) override {
			rows->Scan(state, chunk);
			batch++;
		}
		idx_t BatchIndex() const override {
			return batch;
		}

	private:
		shared_ptr<ColumnDataCollection> rows;
		ColumnDataScanState state;
		idx_t batch = 0;
	};

	shared_ptr<ColumnDataCollection> rows;
};

} // namespace

std::shared_ptr<ChunkSource> RunStatement(Connection &connection, unique_ptr<SQLStatement> statement,
                                          const vector<Value> &parameters, const vector<LogicalType> &types,
                                          bool buffered, bool encoded, bool discard_rows, GoneCheck gone,
                                          std::function<void(bool started)> on_change,
                                          std::function<void(ErrorData &error)> on_error) {
	encoded = encoded && !buffered && !discard_rows;
	auto execution =
	    std::make_shared<Execution>(connection, encoded, std::move(gone), std::move(on_change), std::move(on_error));
	execution->Start(std::move(statement), parameters);
	if (discard_rows) {
		while (execution->Fetch()) {
		}
		return std::make_shared<BufferedSource>(
		    make_shared_ptr<ColumnDataCollection>(Allocator::DefaultAllocator(), types));
	}
	auto result_types = execution->Types();
	if (!types.empty() && result_types != types) {
		throw InvalidInputException("The statement returns columns of other types than its sender expects: %s",
		                            StringUtil::Join(result_types, result_types.size(), ", ",
		                                             [](const LogicalType &type) { return type.ToString(); }));
	}
	if (!buffered) {
		return std::make_shared<StatementSource>(std::move(result_types), encoded, std::move(execution));
	}
	auto rows =
	    make_shared_ptr<ColumnDataCollection>(BufferManager::GetBufferManager(*connection.context), result_types);
	ColumnDataAppendState append;
	rows->InitializeAppend(append);
	while (auto fetched = execution->Fetch()) {
		rows->Append(append, *fetched.chunk);
	}
	return std::make_shared<BufferedSource>(std::move(rows));
}

} // namespace duckherder
