#pragma once

#include <memory>
#include <string>

namespace duckherder {

//! The server's side of one TLS connection, as a filter between two strings of bytes: it has no socket, so that it
//! never waits. Used by one thread at a time.
class TlsSession {
public:
	virtual ~TlsSession() = default;
	//! Takes bytes of the client, and appends what they say to `plain`. False: the client does not keep to the
	//! protocol. Either way there may be output for it.
	virtual bool Receive(const char *bytes, size_t size, std::string &plain) = 0;
	//! Turns bytes for the client into output. False: the connection cannot be used any more.
	virtual bool Send(const char *bytes, size_t size) = 0;
	//! Says that nothing more comes.
	virtual void End() = 0;
	//! What has to be sent to the client now
	virtual std::string TakeOutput() = 0;
};

//! A certificate and its key. Immutable, and thread-safe.
class TlsContext {
public:
	virtual ~TlsContext() = default;
	virtual std::unique_ptr<TlsSession> Accept() const = 0;
};

//! By OpenSSL 3 of the system (libssl.so.3), which is loaded when it is needed first: neither the build nor whoever
//! serves no pages by TLS needs it. Texts are PEM; certificates of intermediate authorities follow the server's own.
//! TLS 1.2 and 1.3. Throws IOException if there is no OpenSSL, InvalidInputException for what it does not take.
std::shared_ptr<const TlsContext> MakeTlsContext(const std::string &certificate, const std::string &key);

} // namespace duckherder
