#pragma once

#include "protocol/database_service.hpp"
#include "protocol/node_address.hpp"

#include "duckdb.hpp"
#include "duckdb/main/extension/extension_loader.hpp"

#include <functional>
#include <memory>
#include <string>

namespace duckherder {

//! Where a driver is, and how it is to be called
struct RemoteAddress {
	//! Its scheme, if one was typed, decides about TLS
	NodeAddress node;
	//! Empty: from the file
	std::string token;
	//! Empty: from where nodes have it
	std::string token_file;
	//! By TLS where no scheme was typed
	bool tls = false;
	//! A file with the certificates to trust (PEM), which also means TLS; empty: those of the environment, or the
	//! system's
	std::string tls_ca;
};

using DatabaseConnector = std::function<std::shared_ptr<DatabaseService>(const RemoteAddress &)>;

//! ATTACH … (TYPE duckherder), secrets of that type, and the functions that send SQL text to an attached driver.
void RegisterRemoteDatabases(duckdb::ExtensionLoader &loader, DatabaseConnector connect);

} // namespace duckherder
