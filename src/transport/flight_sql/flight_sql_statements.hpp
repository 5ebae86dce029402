#pragma once

#include "protocol/database_service.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace duckherder {

//! The values of a statement's parameters
using ParameterRow = duckdb::vector<duckdb::Value>;

//! A statement that was prepared
struct PreparedText {
	std::string sql;
	//! Of the client; empty: none
	std::string transaction;
	ResultShape shape;
	//! For its next run. Whoever has the statement may replace them, under the lock.
	std::mutex lock;
	std::vector<ParameterRow> bound;

	//! Those; one without values if there are none, so that the error says what is missing
	std::vector<ParameterRow> BoundRows();
};

//! A statement whose rows a client was told how to get, and which runs when he does; or which has run already, as it
//! has none
struct PendingStatement {
	std::string sql;
	std::string transaction;
	//! See FlightSqlClient
	std::string traceparent;
	ResultShape shape;
	ParameterRow parameters;
	//! It has run, and changed so many rows
	std::optional<int64_t> changed;
};

enum class CancelOutcome : uint8_t { CANCELLED, CANCELLING, NOT_THERE };

//! The statements that clients of Flight SQL have prepared or wait for, by their handles. Handles cannot be guessed.
//! At most FLIGHT_SQL_STATEMENTS_MAX of both kinds each: then the one is forgotten that was not used for the longest
//! time. Thread-safe.
class FlightSqlStatements {
public:
	std::string AddPrepared(std::shared_ptr<PreparedText> statement);
	//! Throws InvalidInputException if it is not there (any more)
	std::shared_ptr<PreparedText> Prepared(const std::string &handle);
	//! Idempotent
	void ClosePrepared(const std::string &handle);

	//! A statement that runs now
	struct Running {
		PendingStatement statement;
		//! Somebody wants its end
		std::shared_ptr<std::atomic<bool>> cancelled;
		//! Its owner holds this as long as it runs
		std::shared_ptr<void> presence;
	};
	std::string AddPending(PendingStatement statement);
	//! Each runs once. Throws InvalidInputException if it is not there (any more).
	Running TakePending(const std::string &handle);
	CancelOutcome Cancel(const std::string &handle);

private:
	template <class STATEMENT>
	struct Entry {
		STATEMENT statement;
		uint64_t used = 0;
	};
	template <class STATEMENT>
	std::string Add(std::map<std::string, Entry<STATEMENT>> &entries, STATEMENT statement);

	std::mutex lock;
	uint64_t uses = 0;
	std::map<std::string, Entry<std::shared_ptr<PreparedText>>> prepared;
	std::map<std::string, Entry<std::shared_ptr<PendingStatement>>> pending;
	//! Shared with the presences, which may end after us
	struct RunningOnes {
		std::mutex lock;
		std::map<std::string, std::shared_ptr<std::atomic<bool>>> cancels;
	};
	std::shared_ptr<RunningOnes> running = std::make_shared<RunningOnes>();
};

} // namespace duckherder
