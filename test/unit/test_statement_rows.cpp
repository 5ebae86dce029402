#include "web/statement_rows.hpp"

#include "common/mutex.hpp"

#include "duckdb.hpp"

#include <gtest/gtest.h>

//! Statements that run in a session of their own
namespace duckherder {
namespace {

//! What the threads of a test tell each other
struct Renewals {
	Mutex lock;
	Condition changed;
	uint32_t count GUARDED_BY(lock) = 0;
	bool closed GUARDED_BY(lock) = false;
};

//! Has no rows, but takes until its session was renewed twice to say so
class SlowSource : public ChunkSource, public ChunkReader {
public:
	explicit SlowSource(Renewals &renewals_p) : renewals(renewals_p) {
	}
	const duckdb::vector<duckdb::LogicalType> &Types() const override {
		return types;
	}
	duckdb::idx_t MaxReaders() const override {
		return 1;
	}
	std::unique_ptr<ChunkReader> OpenReader() override {
		return std::make_unique<SlowSource>(renewals);
	}
	void Next(duckdb::DataChunk &chunk) override {
		chunk.Reset();
		MutexLock guard(renewals.lock);
		auto twice = [&]() REQUIRES(renewals.lock) { return renewals.count >= 2; };
		if (!renewals.changed.WaitFor(guard, std::chrono::seconds(60), twice)) {
			throw duckdb::IOException("the session was not renewed");
		}
	}
	duckdb::idx_t BatchIndex() const override {
		return 0;
	}

private:
	Renewals &renewals;
	const duckdb::vector<duckdb::LogicalType> types {duckdb::LogicalType::INTEGER};
};

class SlowDatabase : public DatabaseService {
public:
	explicit SlowDatabase(Renewals &renewals_p) : renewals(renewals_p) {
	}
	SessionInfo OpenSession(const SessionRequest &, Role) override {
		SessionInfo info;
		info.id = "the session";
		return info;
	}
	void CloseSession(const SessionId &session) override {
		EXPECT_EQ(session, "the session");
		MutexLock guard(renewals.lock);
		renewals.closed = true;
	}
	std::vector<double> RenewSessions(const std::vector<SessionId> &sessions) override {
		EXPECT_EQ(sessions, std::vector<SessionId> {"the session"});
		MutexLock guard(renewals.lock);
		EXPECT_FALSE(renewals.closed);
		renewals.count++;
		renewals.changed.NotifyAll();
		return {-1};
	}
	CatalogListing ListCatalog(const SessionId &, bool, uint64_t) override {
		return {};
	}
	std::vector<TableEstimate> EstimateRows(const SessionId &) override {
		return {};
	}
	ResultShape Describe(const SessionId &, const std::string &, const duckdb::vector<duckdb::Value> &) override {
		ResultShape shape;
		shape.names = {"i"};
		shape.types = {duckdb::LogicalType::INTEGER};
		return shape;
	}
	std::shared_ptr<ChunkSource> Run(const SessionStatement &, const duckdb::vector<duckdb::LogicalType> &,
	                                 GoneCheck) override {
		return std::make_shared<SlowSource>(renewals);
	}
	std::unique_ptr<ChunkSink> OpenUpload(const SessionId &, uint32_t,
	                                      const duckdb::vector<duckdb::LogicalType> &) override {
		return nullptr;
	}
	void Commit(const SessionId &) override {
	}
	void Rollback(const SessionId &) override {
	}

private:
	Renewals &renewals;
};

TEST(StatementRows, SessionOfALongStatementIsKept) {
	Renewals renewals;
	SlowDatabase database(renewals);
	auto result = RunStatement(database, "SELECT i", Role::READ, 10, nullptr);
	EXPECT_TRUE(result.rows.empty());
	EXPECT_TRUE(result.complete);
	MutexLock guard(renewals.lock);
	EXPECT_TRUE(renewals.closed);
}

} // namespace
} // namespace duckherder
