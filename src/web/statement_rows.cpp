#include "web/statement_rows.hpp"

#include "common/limits.hpp"
#include "common/mutex.hpp"

#include "duckdb.hpp"

#include <chrono>
#include <thread>

namespace duckherder {

namespace {

//! A session that ends with its statement. A thread says meanwhile that it is still wanted: else the driver ends it,
//! and with it a statement that takes long.
class OneStatement {
public:
	OneStatement(DatabaseService &database_p, Role role) : database(database_p) {
		SessionRequest request;
		request.duckdb_version = duckdb::DuckDB::LibraryVersion();
		request.protocol = "http";
		id = database.OpenSession(request, role).id;
		keeper = std::thread([this] { Keep(); });
	}
	~OneStatement() {
		{
			MutexLock guard(lock);
			ended = true;
			wake.NotifyAll();
		}
		keeper.join();
		try {
			database.CloseSession(id);
		} catch (std::exception &) {
			// nobody uses it any more: it ends when its lease does
		}
	}

	DatabaseService &database;
	SessionId id;

private:
	void Keep() {
		MutexLock guard(lock);
		auto interval = std::chrono::milliseconds(limits::SESSION_RENEW_INTERVAL_MS);
		while (true) {
			wake.WaitFor(guard, interval, [&]() REQUIRES(lock) { return ended; });
			if (ended) {
				return;
			}
			guard.Unlock();
			try {
				database.RenewSessions({id});
			} catch (std::exception &) {
				// the statement itself finds out what is wrong
			}
			guard.Lock();
		}
	}

	Mutex lock;
	Condition wake;
	bool ended GUARDED_BY(lock) = false;
	std::thread keeper;
};

void ReadRows(ChunkSource &source, uint64_t limit, StatementRows &result) {
	auto reader = source.OpenReader();
	duckdb::DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), source.Types());
	while (true) {
		chunk.Reset();
		reader->Next(chunk);
		if (chunk.size() == 0) {
			return;
		}
		for (duckdb::idx_t row = 0; row < chunk.size(); row++) {
			if (result.rows.size() == limit) {
				result.complete = false;
				return;
			}
			result.rows.emplace_back();
			for (duckdb::idx_t column = 0; column < chunk.ColumnCount(); column++) {
				result.rows.back().push_back(chunk.GetValue(column, row));
			}
		}
	}
}

} // namespace

StatementRows RunStatement(DatabaseService &database, const std::string &sql, Role role, uint64_t limit,
                           const GoneCheck &gone) {
	OneStatement session(database, role);
	StatementRows result;
	result.shape = database.Describe(session.id, sql);
	auto source = database.Run(SessionStatement::OfText(session.id, sql), result.shape.types, gone);
	ReadRows(*source, limit, result);
	if (!result.complete) {
		source->Cancel();
	}
	source.reset();
	database.Commit(session.id);
	return result;
}

} // namespace duckherder
