#pragma once

#include "main/command_line.hpp"
#include "transport/flight/flight_connector.hpp"

#include <optional>
#include <string>
#include <vector>

namespace duckherder {

//! Flags that several subcommands take, and what they mean.
namespace node_flags {

inline constexpr const char *DEFAULT_DRIVER = "127.0.0.1:8815";

inline const FlagSpec HELP {"--help", "", "this text"};
inline const FlagSpec DRIVER {"--driver", "HOST:PORT", "default 127.0.0.1:8815"};
inline const FlagSpec TOKEN {"--token-file", "F",
                             "the cluster's token (else $DUCKHERDER_TOKEN_FILE, else ~/.duckherder/token)"};
inline const FlagSpec TLS_KEY {"--tls-key", "F", "and this key (PEM)"};
inline const FlagSpec TLS_CA {"--tls-ca", "F", "trust these certificates when connecting by TLS (PEM)"};
inline const FlagSpec TLS_SHOWN_CERT {"--tls-cert", "F", "show this certificate to nodes that ask for one (PEM)"};

} // namespace node_flags

//! Before the token is read: may the process be dumped, and a debugger look at it? A limit of 0 would not keep the
//! kernel from piping a dump to a program that collects them.
void AllowDumps(bool allowed);

std::optional<std::string> TokenFileOf(const CommandLine &flags);
//! The PEM text of the file that the flag names; empty if it is not given.
std::string PemOf(const CommandLine &flags, const FlagSpec &flag, PemKind kind);
//! Of who calls others with this token
FlightClientSettings ClientSettingsOf(const CommandLine &flags, std::string token);
//! Of the flag --driver: "grpc://HOST:PORT", or "grpc+tls://HOST:PORT".
std::string DriverLocation(const CommandLine &flags);
//! Prints the help if it is asked for, and says so.
bool WantsHelp(const CommandLine &flags, const std::string &usage, const std::vector<FlagSpec> &specs);

} // namespace duckherder
