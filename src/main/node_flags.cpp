#include "main/node_flags.hpp"

#include "transport/credentials/token.hpp"

#include <iostream>
#include <sys/prctl.h>

namespace duckherder {

using namespace node_flags;

void AllowDumps(bool allowed) {
	prctl(PR_SET_DUMPABLE, allowed ? 1 : 0, 0, 0, 0);
}

std::optional<std::string> TokenFileOf(const CommandLine &flags) {
	return flags.Has(TOKEN.name) ? std::optional<std::string>(flags.Get(TOKEN.name)) : std::nullopt;
}

std::string PemOf(const CommandLine &flags, const FlagSpec &flag, PemKind kind) {
	return ReadPemFile(flag.name, flags.Get(flag.name), kind);
}

FlightClientSettings ClientSettingsOf(const CommandLine &flags, std::string token) {
	return FlightClientSettings {std::move(token), PemOf(flags, TLS_CA, PemKind::CERTIFICATE),
	                             PemOf(flags, TLS_SHOWN_CERT, PemKind::CERTIFICATE),
	                             PemOf(flags, TLS_KEY, PemKind::KEY), DescribeTokenFile(TokenFileOf(flags))};
}

std::string DriverLocation(const CommandLine &flags) {
	return flags.GetAddress(DRIVER.name, DEFAULT_DRIVER).Location(flags.Has(TLS_CA.name));
}

bool WantsHelp(const CommandLine &flags, const std::string &usage, const std::vector<FlagSpec> &specs) {
	if (flags.Has(HELP.name)) {
		std::cout << usage << "\n" << FlagHelp(specs);
		return true;
	}
	return false;
}

} // namespace duckherder
