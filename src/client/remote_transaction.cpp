#include "client/remote_transaction.hpp"

#include "client/remote_entries.hpp"
#include "client/run_remote.hpp"

#include "duckdb/main/attached_database.hpp"

namespace duckherder {

using namespace duckdb;

RemoteTransaction::RemoteTransaction(TransactionManager &manager_p, ClientContext &context_p, RemoteCatalog &catalog_p)
    : Transaction(manager_p, context_p), catalog(catalog_p) {
}

RemoteTransaction::~RemoteTransaction() {
	Rollback();
}

RemoteTransaction &RemoteTransaction::Get(ClientContext &context, RemoteCatalog &catalog) {
	return Transaction::Get(context, catalog).Cast<RemoteTransaction>();
}

const SessionId &RemoteTransaction::Session() {
	std::lock_guard<std::mutex> guard(lock);
	if (!session) {
		session = catalog.Server().Take();
	}
	return session->id;
}

std::shared_ptr<RemoteSnapshot> RemoteTransaction::Snapshot() {
	Session();
	std::lock_guard<std::mutex> guard(lock);
	if (!current) {
		try {
			snapshots.push_back(catalog.TakeSnapshot(*session));
		} catch (const std::exception &error) {
			// An idle session that the driver has forgotten, because it was restarted. Nothing was done in this one
			// yet. What comes from there has the type of its error, not its class.
			if (!snapshots.empty() || ErrorData(error).Type() != ExceptionType::INVALID_INPUT) {
				throw;
			}
			catalog.Server().Give(*session, false);
			session.reset();
			session = catalog.Server().TakeNew();
			snapshots.push_back(catalog.TakeSnapshot(*session));
		}
		current = true;
	}
	return snapshots.back();
}

optional_idx RemoteTransaction::EstimatedRows(const string &schema, const string &table) {
	auto &id = Session();
	std::lock_guard<std::mutex> guard(lock);
	if (!estimates) {
		estimates.emplace();
		for (auto &estimate : catalog.Server().service->EstimateRows(id)) {
			(*estimates)[{estimate.schema, estimate.table}] = estimate.rows;
		}
	}
	auto entry = estimates->find({schema, table});
	return entry == estimates->end() ? optional_idx() : optional_idx(entry->second);
}

void RemoteTransaction::ForgetSnapshot() {
	std::lock_guard<std::mutex> guard(lock);
	current = false;
}

void RemoteTransaction::MayHaveWritten() {
	std::lock_guard<std::mutex> guard(lock);
	may_have_written = true;
}

ErrorData RemoteTransaction::Commit() {
	if (!session) {
		return ErrorData();
	}
	auto ending = std::move(*session);
	session.reset();
	try {
		catalog.Server().service->Commit(ending.id);
	} catch (const IOException &error) {
		catalog.Server().Give(std::move(ending), false);
		if (IsReadOnly() && !may_have_written) {
			return ErrorData();
		}
		return ErrorData(ExceptionType::IO, "The driver at " + catalog.Server().location +
		                                        " did not answer to COMMIT: whether the transaction was committed is "
		                                        "unknown. Look before you repeat it. " +
		                                        ErrorData(error).RawMessage());
	} catch (const std::exception &error) {
		catalog.Server().Give(std::move(ending), false);
		return ErrorData(error);
	}
	catalog.Server().Give(std::move(ending), true);
	return ErrorData();
}

void RemoteTransaction::Rollback() {
	if (!session) {
		return;
	}
	auto ending = std::move(*session);
	session.reset();
	auto clean = true;
	try {
		catalog.Server().service->Rollback(ending.id);
	} catch (const std::exception &) {
		// closing it rolls back, or the end of its lease
		clean = false;
	}
	catalog.Server().Give(std::move(ending), clean);
}

RemoteTransactionManager::RemoteTransactionManager(AttachedDatabase &db_p, RemoteCatalog &catalog_p)
    : TransactionManager(db_p), catalog(catalog_p) {
}

Transaction &RemoteTransactionManager::StartTransaction(ClientContext &context) {
	auto transaction = make_uniq<RemoteTransaction>(*this, context, catalog);
	auto &result = *transaction;
	std::lock_guard<std::mutex> guard(lock);
	transactions[result] = std::move(transaction);
	return result;
}

void RemoteTransactionManager::Forget(Transaction &transaction) {
	unique_ptr<RemoteTransaction> ending;
	std::lock_guard<std::mutex> guard(lock);
	auto entry = transactions.find(transaction);
	if (entry != transactions.end()) {
		ending = std::move(entry->second);
		transactions.erase(entry);
	}
}

ErrorData RemoteTransactionManager::CommitTransaction(ClientContext &, Transaction &transaction) {
	auto error = transaction.Cast<RemoteTransaction>().Commit();
	Forget(transaction);
	return error;
}

void RemoteTransactionManager::RollbackTransaction(Transaction &transaction) {
	transaction.Cast<RemoteTransaction>().Rollback();
	Forget(transaction);
}

void RemoteTransactionManager::Checkpoint(ClientContext &context, bool force) {
	if (force) {
		throw NotImplementedException(
		    "FORCE CHECKPOINT would end the transactions of the other clients of the driver of "
		    "\"%s\": CHECKPOINT works while nobody else writes",
		    NameText(catalog.GetName()));
	}
	RunRemoteSql(context, catalog, "CHECKPOINT");
}

} // namespace duckherder
