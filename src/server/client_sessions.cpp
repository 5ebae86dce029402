#include "server/client_sessions.hpp"

#include "compat/statements.hpp"
#include "common/limits.hpp"
#include "engine/internal_query.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/common/types/uuid.hpp"
#include "duckdb/main/attached_database.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

void CheckVersions(const SessionRequest &request) {
	if (request.duckdb_version != DuckDB::LibraryVersion() || request.protocol_version != PROTOCOL_VERSION) {
		throw InvalidInputException(
		    "This driver runs DuckDB %s with Duckherder's protocol %d, the client DuckDB %s with "
		    "protocol %d: plans travel only between equal versions",
		    DuckDB::LibraryVersion(), PROTOCOL_VERSION, request.duckdb_version, request.protocol_version);
	}
}

std::vector<std::string> FunctionsOf(Connection &connection) {
	InternalQuery internal;
	auto result = connection.Query("SELECT DISTINCT lower(function_name) FROM duckdb_functions() "
	                               "WHERE internal AND function_type IN ('scalar', 'aggregate', 'table')");
	if (result->HasError()) {
		result->ThrowError();
	}
	std::vector<std::string> names;
	for (auto &row : *result) {
		names.push_back(row.GetValue<string>(0));
	}
	return names;
}

//! Lets go of sessions, whose connections may be the last users of the database. Its end ends the nodes that serve it,
//! and waits for the threads of their calls and for the watch. So none of these may be the one that ends it.
void LetGo(const weak_ptr<DatabaseInstance> &instance, std::vector<std::shared_ptr<ClientSession>> sessions) {
	if (sessions.empty()) {
		return;
	}
	auto database = instance.lock();
	sessions.clear();
	if (database.use_count() == 1) {
		std::thread([last = std::move(database)]() mutable { last.reset(); }).detach();
	}
}

} // namespace

ClientSessions::ClientSessions(weak_ptr<DatabaseInstance> instance_p, std::shared_ptr<Clock> clock_p,
                               std::string main_database_p)
    : instance(std::move(instance_p)), clock(std::move(clock_p)), main_database(std::move(main_database_p)),
      driver_instance(UUID::ToString(UUID::GenerateRandomUUID())), watch([this] { WatchLeases(); }) {
}

ClientSessions::~ClientSessions() {
	{
		std::lock_guard<std::mutex> guard(lock);
		stopping = true;
	}
	wake.notify_all();
	watch.join();
}

SessionInfo ClientSessions::OpenSession(const SessionRequest &request, Role caller) {
	CheckVersions(request);
	auto database = instance.lock();
	if (!database) {
		throw IOException("The driver's database is closed");
	}
	SessionInfo info;
	Connection connection(*database);
	auto &context = *connection.context;
	context.RunFunctionInTransaction([&] {
		auto fallback = main_database.empty() ? NameText(DatabaseManager::GetDefaultDatabase(context)) : main_database;
		auto name = request.database.empty() ? fallback : request.database;
		auto attached = DatabaseNamed(context, name);
		if (!attached || attached->IsSystem() || attached->IsTemporary()) {
			throw CatalogException("The driver has no database \"%s\"", name);
		}
		info.database = NameText(attached->GetName());
		info.default_schema = DefaultSchemaOf(attached->GetCatalog());
		info.catalog_type = attached->GetCatalog().GetCatalogType();
		info.read_only = request.read_only || caller < Role::WRITE || attached->IsReadOnly();
	});
	if (request.wants_functions) {
		info.functions = FunctionsOf(connection);
	}
	// more random bits than anybody can guess; the generator is seeded by the system
	info.id = UUID::ToString(UUID::GenerateRandomUUID()) + UUID::ToString(UUID::GenerateRandomUUID());
	info.driver_instance = driver_instance;
	auto session = std::make_shared<ClientSession>(*database, info.database, info.read_only, caller);
	session->last_use = clock->NowMs();
	auto &description = session->description;
	description.client = request.client;
	description.protocol = request.protocol;
	description.opened_us = Timestamp::GetEpochMicroSeconds(Timestamp::GetCurrentTimestamp());
	std::lock_guard<std::mutex> guard(lock);
	if (sessions.size() >= limits::CLIENT_SESSIONS_MAX) {
		throw ConnectionException("The driver has %d sessions already, it takes no more", limits::CLIENT_SESSIONS_MAX);
	}
	description.number = ++last_number;
	session->other_transactions = [self = weak_from_this(), number = last_number] {
		auto owner = self.lock();
		return owner ? owner->TransactionsBeside(number) : std::string();
	};
	sessions[info.id] = std::move(session);
	return info;
}

std::shared_ptr<ClientSession> ClientSessions::Find(const SessionId &id) {
	std::lock_guard<std::mutex> guard(lock);
	auto entry = sessions.find(id);
	if (entry == sessions.end()) {
		throw InvalidInputException("The session is not known to the driver (any more): it was closed, its client was "
		                            "silent for %d seconds, or the driver was restarted. What it had not committed is "
		                            "rolled back",
		                            limits::SESSION_LEASE_MS / 1000);
	}
	entry->second->last_use = clock->NowMs();
	return entry->second;
}

void ClientSessions::CloseSession(const SessionId &id) {
	std::shared_ptr<ClientSession> session;
	{
		std::lock_guard<std::mutex> guard(lock);
		auto entry = sessions.find(id);
		if (entry == sessions.end()) {
			return;
		}
		session = std::move(entry->second);
		sessions.erase(entry);
	}
	// the connection rolls back when the last user of the session lets go of it
	session->Interrupt();
	std::vector<std::shared_ptr<ClientSession>> closed;
	closed.push_back(std::move(session));
	LetGo(instance, std::move(closed));
}

std::vector<double> ClientSessions::RenewSessions(const std::vector<SessionId> &ids) {
	std::vector<double> progress;
	std::lock_guard<std::mutex> guard(lock);
	for (auto &id : ids) {
		auto entry = sessions.find(id);
		if (entry == sessions.end()) {
			progress.push_back(-1);
			continue;
		}
		entry->second->last_use = clock->NowMs();
		progress.push_back(entry->second->Progress());
	}
	return progress;
}

CatalogListing ClientSessions::ListCatalog(const SessionId &session, bool knows, uint64_t known_version) {
	return Find(session)->ListCatalog(knows, known_version);
}

std::vector<TableEstimate> ClientSessions::EstimateRows(const SessionId &session) {
	return Find(session)->EstimateRows();
}

ResultShape ClientSessions::Describe(const SessionId &session, const std::string &sql,
                                     const vector<Value> &parameters) {
	return Find(session)->Describe(sql, parameters);
}

std::shared_ptr<ChunkSource> ClientSessions::Run(const SessionStatement &statement, const vector<LogicalType> &types,
                                                 GoneCheck gone) {
	return Find(statement.session)->Run(statement, types, std::move(gone));
}

std::unique_ptr<ChunkSink> ClientSessions::OpenUpload(const SessionId &session, uint32_t number,
                                                      const vector<LogicalType> &types) {
	return Find(session)->OpenUpload(number, types);
}

void ClientSessions::Commit(const SessionId &session) {
	Find(session)->Commit();
}

void ClientSessions::Rollback(const SessionId &session) {
	Find(session)->Rollback();
}

size_t ClientSessions::Count() {
	std::lock_guard<std::mutex> guard(lock);
	return sessions.size();
}

std::vector<SessionDescription> ClientSessions::List() {
	std::vector<std::shared_ptr<ClientSession>> open;
	{
		std::lock_guard<std::mutex> guard(lock);
		for (auto &entry : sessions) {
			open.push_back(entry.second);
		}
	}
	std::vector<SessionDescription> list;
	for (auto &session : open) {
		list.push_back(session->Describe());
	}
	return list;
}

std::string ClientSessions::TransactionsBeside(uint64_t number) {
	std::string text;
	auto now_us = Timestamp::GetEpochMicroSeconds(Timestamp::GetCurrentTimestamp());
	for (auto &session : List()) {
		if (session.number == number || session.transaction_us == 0) {
			continue;
		}
		text += text.empty() ? "" : ", ";
		text += StringUtil::Format("session %llu (%s of %s, for %lld s%s)", session.number, session.protocol,
		                           session.client, (now_us - session.transaction_us) / 1000000,
		                           session.running ? ", running" : "");
	}
	return text;
}

void ClientSessions::WatchLeases() {
	std::unique_lock<std::mutex> guard(lock);
	while (!stopping) {
		wake.wait_for(guard, std::chrono::milliseconds(limits::SESSION_RENEW_INTERVAL_MS));
		std::vector<std::shared_ptr<ClientSession>> expired;
		auto now = clock->NowMs();
		for (auto entry = sessions.begin(); entry != sessions.end();) {
			auto silent = now - entry->second->last_use > limits::SESSION_LEASE_MS;
			if (!stopping && !silent) {
				entry++;
				continue;
			}
			expired.push_back(std::move(entry->second));
			entry = sessions.erase(entry);
		}
		guard.unlock();
		for (auto &session : expired) {
			session->Interrupt();
		}
		LetGo(instance, std::move(expired));
		guard.lock();
	}
}

} // namespace duckherder
