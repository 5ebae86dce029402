#include "client/attach.hpp"

#include "client/remote_catalog.hpp"
#include "client/remote_query.hpp"
#include "client/remote_table_pragmas.hpp"
#include "client/remote_scan.hpp"
#include "client/remote_transaction.hpp"
#include "compat/names.hpp"
#include "engine/describe_function.hpp"
#include "engine/view_scan.hpp"
#include "protocol/session_role.hpp"

#include "duckdb/catalog/catalog_transaction.hpp"
#include "duckdb/common/operator/cast_operators.hpp"
#include "duckdb/main/attached_database.hpp"
#include "duckdb/main/secret/secret_manager.hpp"
#include "duckdb/parser/parsed_data/attach_info.hpp"
#include "duckdb/parser/parsed_data/create_table_function_info.hpp"
#include "duckdb/storage/storage_extension.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

constexpr const char *SECRET_TYPE = "duckherder";

struct ConnectorInfo : public StorageExtensionInfo {
	explicit ConnectorInfo(DatabaseConnector connect_p) : connect(std::move(connect_p)) {
	}
	DatabaseConnector connect;
};

//! What ATTACH says, and what a secret adds to it
struct AttachRequest {
	RemoteAddress address;
	//! As typed
	string path;
	string host;
	string port;
	string secret;
	string database;
};

void ReadOption(AttachRequest &request, const string &name, const Value &value) {
	if (name == "token") {
		request.address.token = value.ToString();
	} else if (name == "token_file") {
		request.address.token_file = value.ToString();
	} else if (name == "tls") {
		request.address.tls = BooleanValue::Get(value.DefaultCastAs(LogicalType::BOOLEAN));
	} else if (name == "tls_ca") {
		request.address.tls_ca = value.ToString();
	} else if (name == "server_host") {
		request.host = value.ToString();
	} else if (name == "server_port") {
		request.port = value.ToString();
	} else if (name == "secret") {
		request.secret = value.ToString();
	} else if (name == "database") {
		request.database = value.ToString();
	} else if (name != "type" && name != "read_only" && name != "read_write") {
		throw BinderException(
		    "Unrecognized option for a Duckherder database: \"%s\". There are TOKEN, TOKEN_FILE, TLS, "
		    "TLS_CA, SECRET, DATABASE, SERVER_HOST, SERVER_PORT, READ_ONLY",
		    name);
	}
}

void AddSecret(ClientContext &context, AttachRequest &request) {
	auto transaction = CatalogTransaction::GetSystemCatalogTransaction(context);
	auto &manager = SecretManager::Get(context);
	unique_ptr<SecretEntry> named;
	const BaseSecret *found = nullptr;
	if (!request.secret.empty()) {
		named = manager.GetSecretByName(transaction, request.secret);
		if (!named) {
			throw BinderException("There is no secret \"%s\"", request.secret);
		}
		found = named->secret.get();
	}
	SecretMatch match;
	if (!found) {
		match = manager.LookupSecret(transaction, request.address.node.HostPort(), SECRET_TYPE);
		if (!match.HasMatch()) {
			match = manager.LookupSecret(transaction, request.path, SECRET_TYPE);
		}
		if (!match.HasMatch()) {
			return;
		}
		found = &match.GetSecret();
	}
	if (found->GetType() != SECRET_TYPE) {
		throw BinderException("The secret \"%s\" is of type %s, not of type %s", NameText(found->GetName()),
		                      NameText(found->GetType()), SECRET_TYPE);
	}
	auto &secret = dynamic_cast<const KeyValueSecret &>(*found);
	for (auto &entry : secret.secret_map) {
		auto key = StringUtil::Lower(NameText(entry.first));
		auto given = (key == "token" || key == "token_file")
		                 ? !request.address.token.empty() || !request.address.token_file.empty()
		                 : key == "tls_ca" && !request.address.tls_ca.empty();
		if (!given && !entry.second.IsNull()) {
			ReadOption(request, key, entry.second);
		}
	}
}

uint16_t PortOf(const string &text) {
	uint16_t port = 0;
	if (!TryCast::Operation(string_t(text), port, true)) {
		throw BinderException("SERVER_PORT is '%s', it can be a number up to 65535", text);
	}
	return port;
}

//! ATTACH DATABASE 'name' (…, server_host …) has no path to speak of
NodeAddress NodeOf(const AttachRequest &request) {
	if (request.host.empty() || request.port.empty()) {
		return ParseNodeAddress(request.path);
	}
	return JoinNodeAddress(request.path, PortOf(request.port));
}

unique_ptr<Catalog> Attach(optional_ptr<StorageExtensionInfo> storage_info, ClientContext &context,
                           AttachedDatabase &db, const string &, AttachInfo &info, AttachOptions &options) {
	// it would be asked with this process's own token, wherever it is
	SessionRole::Require(context, Role::NODE, "ATTACH of another driver");
	AttachRequest request;
	for (auto &option : options.options) {
		ReadOption(request, StringUtil::Lower(option.first), option.second);
	}
	request.path = request.host.empty() ? info.path : request.host;
	request.address.node = NodeOf(request);
	AddSecret(context, request);
	SessionRequest session;
	session.duckdb_version = DuckDB::LibraryVersion();
	session.database = request.database;
	session.read_only = options.access_mode == AccessMode::READ_ONLY;
	auto &connect = static_cast<ConnectorInfo &>(*storage_info).connect;
	auto server = std::make_shared<RemoteServer>(connect(request.address), request.address.node.HostPort(), session);
	if (server->Info().read_only) {
		db.SetReadOnlyDatabase();
	}
	// the path is no file, which DuckDB would lock or look at
	info.path = string();
	return make_uniq<RemoteCatalog>(db, std::move(server));
}

unique_ptr<TransactionManager> CreateTransactionManager(optional_ptr<StorageExtensionInfo>, AttachedDatabase &db,
                                                        Catalog &catalog) {
	return make_uniq<RemoteTransactionManager>(db, *RemoteCatalog::From(catalog));
}

unique_ptr<BaseSecret> CreateSecret(ClientContext &, CreateSecretInput &input) {
	auto secret = make_uniq<KeyValueSecret>(input.scope, input.type, input.provider, input.name);
	for (auto &option : input.options) {
		secret->secret_map[Identifier(StringUtil::Lower(option.first))] = option.second;
	}
	secret->redact_keys = {"token"};
	return secret;
}

void RegisterSecrets(ExtensionLoader &loader) {
	SecretType type;
	type.name = SECRET_TYPE;
	type.deserializer = KeyValueSecret::Deserialize<KeyValueSecret>;
	type.default_provider = "config";
	type.extension = "duckherder";
	loader.RegisterSecretType(type);
	CreateSecretFunction function {SECRET_TYPE, "config", CreateSecret, {}};
	for (auto key : {"token", "token_file", "tls_ca"}) {
		function.named_parameters[key] = LogicalType::VARCHAR;
	}
	function.named_parameters["tls"] = LogicalType::BOOLEAN;
	loader.RegisterFunction(function);
}

} // namespace

void RegisterRemoteDatabases(ExtensionLoader &loader, DatabaseConnector connect) {
	auto extension = make_shared_ptr<StorageExtension>();
	extension->attach = Attach;
	extension->create_transaction_manager = CreateTransactionManager;
	extension->storage_info = make_shared_ptr<ConnectorInfo>(std::move(connect));
	StorageExtension::Register(loader.GetDatabaseInstance().config, RemoteCatalog::TYPE_NAME, std::move(extension));
	RegisterSecrets(loader);
	for (auto &function : {RemoteScanFunction(), ViewScanFunction()}) {
		CreateTableFunctionInfo info(function);
		info.descriptions.push_back(DescribeInternal());
		loader.RegisterFunction(std::move(info));
	}
	RegisterRemoteQueryFunctions(loader);
	RegisterRemoteTablePragmas(loader);
}

} // namespace duckherder
