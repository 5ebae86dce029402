#pragma once

#include <optional>
#include <string>

namespace duckherder {

//! The token that the nodes of one user share: from the file `named_file`, else from $DUCKHERDER_TOKEN_FILE, else from
//! ~/.duckherder/token. Only the last is made when it does not exist: 32 random bytes as hex, file mode 0600, directory
//! mode 0700. Processes that do so at the same time end up with the same token.
//! Thread-safe. Throws IOException if a named file does not exist or cannot be read, PermissionException if others than
//! the owner may read it, InvalidInputException if it holds no token.
std::string LoadOrCreateToken(const std::optional<std::string> &named_file);

//! The same for who only calls nodes: a token that was made now is none that they know, so none is made. Throws
//! IOException that says so if there is no file.
std::string LoadToken(const std::optional<std::string> &named_file);

//! Where those have the token from, for the error of a node that refuses it: "the token in 'FILE'", and whether this
//! process has made it. Throws nothing.
std::string DescribeTokenFile(const std::optional<std::string> &named_file);

//! 32 bytes of the system's random source as hex.
std::string MakeToken();

//! Takes equally long wherever the strings differ, so that nobody can guess a token piece by piece.
bool TokensEqual(const std::string &left, const std::string &right);

} // namespace duckherder
