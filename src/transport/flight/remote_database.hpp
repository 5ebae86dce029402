#pragma once

#include "protocol/database_service.hpp"
#include "transport/flight/flight_connector.hpp"
#include "transport/flight/actions.hpp"

#include <memory>
#include <string>
#include <type_traits>

namespace duckherder {

class FlightConnections;

//! The database of the driver at a location. Thread-safe. Errors as those of FlightConnector's services; connects with
//! each call if it has to.
class RemoteDatabase : public DatabaseService {
public:
	RemoteDatabase(std::string location, FlightClientSettings settings);
	~RemoteDatabase() override;

	SessionInfo OpenSession(const SessionRequest &request, Role) override;
	void CloseSession(const SessionId &session) override;
	std::vector<double> RenewSessions(const std::vector<SessionId> &sessions) override;
	CatalogListing ListCatalog(const SessionId &session, bool knows, uint64_t known_version) override;
	std::vector<TableEstimate> EstimateRows(const SessionId &session) override;
	using DatabaseService::Describe;
	ResultShape Describe(const SessionId &session, const std::string &sql,
	                     const duckdb::vector<duckdb::Value> &parameters) override;
	//! Starts the statement at once; its errors come with the first rows. `gone` is not used: who has gone cancels the
	//! source.
	std::shared_ptr<ChunkSource> Run(const SessionStatement &statement,
	                                 const duckdb::vector<duckdb::LogicalType> &types, GoneCheck gone) override;
	std::unique_ptr<ChunkSink> OpenUpload(const SessionId &session, uint32_t number,
	                                      const duckdb::vector<duckdb::LogicalType> &types) override;
	void Commit(const SessionId &session) override;
	void Rollback(const SessionId &session) override;

private:
	template <class REQUEST, class REPLY>
	REPLY Call(const Action<REQUEST, REPLY> &action, const std::type_identity_t<REQUEST> &request, uint64_t timeout_ms);

	const std::string location;
	const std::string peer;
	std::shared_ptr<FlightConnections> connections;
};

} // namespace duckherder
