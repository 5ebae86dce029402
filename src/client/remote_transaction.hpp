#pragma once

#include "client/remote_catalog.hpp"

#include "duckdb/transaction/transaction.hpp"
#include "duckdb/transaction/transaction_manager.hpp"

#include <optional>

namespace duckherder {

//! Our end of a transaction at a driver. Its session there is taken when it is first needed; the driver begins the
//! transaction with it. Used by one connection; Session may be called by any thread of its query.
class RemoteTransaction : public duckdb::Transaction {
public:
	RemoteTransaction(duckdb::TransactionManager &manager, duckdb::ClientContext &context, RemoteCatalog &catalog);
	~RemoteTransaction() override;

	static RemoteTransaction &Get(duckdb::ClientContext &context, RemoteCatalog &catalog);

	const SessionId &Session();
	std::shared_ptr<RemoteSnapshot> Snapshot();
	duckdb::optional_idx EstimatedRows(const duckdb::string &schema, const duckdb::string &table);
	//! Definitions were changed: the next look at them asks the driver
	void ForgetSnapshot();

	//! SQL text was sent there, and nobody here knows what it did
	void MayHaveWritten();

	//! Errors are the driver's. If the driver cannot be reached, nobody knows whether it has committed.
	duckdb::ErrorData Commit();
	void Rollback();

private:
	RemoteCatalog &catalog;
	std::mutex lock;
	std::optional<RemoteServer::Session> session;
	//! All that were looked at: entries of older ones are still referred to
	std::vector<std::shared_ptr<RemoteSnapshot>> snapshots;
	bool current = false;
	//! By schema and table, as it was asked first
	std::optional<std::map<std::pair<std::string, std::string>, uint64_t>> estimates;
	bool may_have_written = false;
};

class RemoteTransactionManager : public duckdb::TransactionManager {
public:
	RemoteTransactionManager(duckdb::AttachedDatabase &db, RemoteCatalog &catalog);

	duckdb::Transaction &StartTransaction(duckdb::ClientContext &context) override;
	duckdb::ErrorData CommitTransaction(duckdb::ClientContext &context, duckdb::Transaction &transaction) override;
	void RollbackTransaction(duckdb::Transaction &transaction) override;
	void Checkpoint(duckdb::ClientContext &context, bool force) override;

private:
	void Forget(duckdb::Transaction &transaction);

	RemoteCatalog &catalog;
	std::mutex lock;
	duckdb::reference_map_t<duckdb::Transaction, duckdb::unique_ptr<RemoteTransaction>> transactions;
};

} // namespace duckherder
