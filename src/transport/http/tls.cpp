#include "transport/http/tls.hpp"

#include "duckdb/common/exception.hpp"

#include <algorithm>
#include <cstdint>
#include <dlfcn.h>

// Types of OpenSSL, of which only pointers are known here: its headers are not needed to build.
struct bio_st;
struct bio_method_st;
struct evp_pkey_st;
struct ssl_ctx_st;
struct ssl_method_st;
struct ssl_st;
struct x509_st;

namespace duckherder {

namespace {

constexpr const char *LIBRARY = "libssl.so.3";

// Numbers of OpenSSL's interface, from its documentation (docs.openssl.org/3.0/man3)
constexpr int CTRL_EXTRA_CHAIN_CERT = 14;
constexpr int CTRL_MODE = 33;
constexpr int CTRL_SET_MIN_PROTO_VERSION = 123;
constexpr long MODE_ENABLE_PARTIAL_WRITE = 1;
constexpr long MODE_ACCEPT_MOVING_WRITE_BUFFER = 2;
constexpr long TLS_1_2 = 0x0303;
constexpr uint64_t OP_NO_RENEGOTIATION = 1ULL << 30;
constexpr int ERROR_WANT_READ = 2;
constexpr int ERROR_ZERO_RETURN = 6;

using PasswordCallback = int (*)(char *, int, int, void *);

//! The functions of OpenSSL that we call. They are never unloaded.
struct OpenSsl {
	OpenSsl();

	const ssl_method_st *(*TLS_server_method)() = nullptr;
	ssl_ctx_st *(*SSL_CTX_new)(const ssl_method_st *) = nullptr;
	void (*SSL_CTX_free)(ssl_ctx_st *) = nullptr;
	long (*SSL_CTX_ctrl)(ssl_ctx_st *, int, long, void *) = nullptr;
	uint64_t (*SSL_CTX_set_options)(ssl_ctx_st *, uint64_t) = nullptr;
	int (*SSL_CTX_use_certificate)(ssl_ctx_st *, x509_st *) = nullptr;
	int (*SSL_CTX_use_PrivateKey)(ssl_ctx_st *, evp_pkey_st *) = nullptr;
	int (*SSL_CTX_check_private_key)(const ssl_ctx_st *) = nullptr;
	ssl_st *(*SSL_new)(ssl_ctx_st *) = nullptr;
	void (*SSL_free)(ssl_st *) = nullptr;
	void (*SSL_set_bio)(ssl_st *, bio_st *, bio_st *) = nullptr;
	void (*SSL_set_accept_state)(ssl_st *) = nullptr;
	int (*SSL_read)(ssl_st *, void *, int) = nullptr;
	int (*SSL_write)(ssl_st *, const void *, int) = nullptr;
	int (*SSL_shutdown)(ssl_st *) = nullptr;
	int (*SSL_get_error)(const ssl_st *, int) = nullptr;
	bio_st *(*BIO_new)(const bio_method_st *) = nullptr;
	const bio_method_st *(*BIO_s_mem)() = nullptr;
	bio_st *(*BIO_new_mem_buf)(const void *, int) = nullptr;
	int (*BIO_free)(bio_st *) = nullptr;
	int (*BIO_read)(bio_st *, void *, int) = nullptr;
	int (*BIO_write)(bio_st *, const void *, int) = nullptr;
	x509_st *(*PEM_read_bio_X509)(bio_st *, x509_st **, PasswordCallback, void *) = nullptr;
	evp_pkey_st *(*PEM_read_bio_PrivateKey)(bio_st *, evp_pkey_st **, PasswordCallback, void *) = nullptr;
	void (*X509_free)(x509_st *) = nullptr;
	void (*EVP_PKEY_free)(evp_pkey_st *) = nullptr;
	void (*ERR_clear_error)() = nullptr;
	unsigned long (*ERR_get_error)() = nullptr;
	void (*ERR_error_string_n)(unsigned long, char *, size_t) = nullptr;
};

template <class FUNCTION>
void Find(void *library, FUNCTION *&function, const char *name) {
	function = reinterpret_cast<FUNCTION *>(dlsym(library, name));
	if (!function) {
		throw duckdb::IOException("The %s of this system has no %s: TLS needs OpenSSL 3", LIBRARY, name);
	}
}

OpenSsl::OpenSsl() {
	auto library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		throw duckdb::IOException("Pages by TLS need OpenSSL 3, which this system does not have (%s): install it, for "
		                          "example Debian's package libssl3, or serve the pages at 127.0.0.1",
		                          dlerror());
	}
#define FIND(name) Find(library, name, #name)
	FIND(TLS_server_method);
	FIND(SSL_CTX_new);
	FIND(SSL_CTX_free);
	FIND(SSL_CTX_ctrl);
	FIND(SSL_CTX_set_options);
	FIND(SSL_CTX_use_certificate);
	FIND(SSL_CTX_use_PrivateKey);
	FIND(SSL_CTX_check_private_key);
	FIND(SSL_new);
	FIND(SSL_free);
	FIND(SSL_set_bio);
	FIND(SSL_set_accept_state);
	FIND(SSL_read);
	FIND(SSL_write);
	FIND(SSL_shutdown);
	FIND(SSL_get_error);
	FIND(BIO_new);
	FIND(BIO_s_mem);
	FIND(BIO_new_mem_buf);
	FIND(BIO_free);
	FIND(BIO_read);
	FIND(BIO_write);
	FIND(PEM_read_bio_X509);
	FIND(PEM_read_bio_PrivateKey);
	FIND(X509_free);
	FIND(EVP_PKEY_free);
	FIND(ERR_clear_error);
	FIND(ERR_get_error);
	FIND(ERR_error_string_n);
#undef FIND
}

const OpenSsl &Ssl() {
	static const OpenSsl functions;
	return functions;
}

[[noreturn]] void Refuse(const char *what) {
	char text[256] = {};
	Ssl().ERR_error_string_n(Ssl().ERR_get_error(), text, sizeof(text));
	throw duckdb::InvalidInputException("OpenSSL does not take the %s of the pages: %s", what, text);
}

//! A key with a passphrase is an error: nobody is there to be asked
int NoPassword(char *, int, int, void *) {
	return 0;
}

//! A text to read PEM from, which outlives it
class PemText {
public:
	explicit PemText(const std::string &text) : bio(Ssl().BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))) {
	}
	~PemText() {
		Ssl().BIO_free(bio);
	}
	PemText(const PemText &) = delete;
	PemText &operator=(const PemText &) = delete;

	bio_st *const bio;
};

class OpenSslSession : public TlsSession {
public:
	explicit OpenSslSession(ssl_ctx_st *context)
	    : session(Ssl().SSL_new(context)), input(Ssl().BIO_new(Ssl().BIO_s_mem())),
	      output(Ssl().BIO_new(Ssl().BIO_s_mem())) {
		if (!session || !input || !output) {
			throw duckdb::OutOfMemoryException("OpenSSL has no memory for a connection");
		}
		// which owns both from now on
		Ssl().SSL_set_bio(session, input, output);
		Ssl().SSL_set_accept_state(session);
	}
	~OpenSslSession() override {
		Ssl().SSL_free(session);
	}

	bool Receive(const char *bytes, size_t size, std::string &plain) override {
		Ssl().BIO_write(input, bytes, static_cast<int>(size));
		char buffer[BUFFER_BYTES];
		while (true) {
			Ssl().ERR_clear_error();
			auto count = Ssl().SSL_read(session, buffer, sizeof(buffer));
			if (count > 0) {
				plain.append(buffer, static_cast<size_t>(count));
				continue;
			}
			auto error = Ssl().SSL_get_error(session, count);
			usable = usable && (error == ERROR_WANT_READ || error == ERROR_ZERO_RETURN);
			return error == ERROR_WANT_READ;
		}
	}

	bool Send(const char *bytes, size_t size) override {
		size_t sent = 0;
		while (usable && sent < size) {
			Ssl().ERR_clear_error();
			auto piece = static_cast<int>(std::min(size - sent, BUFFER_BYTES));
			auto count = Ssl().SSL_write(session, bytes + sent, piece);
			if (count <= 0) {
				usable = false;
				break;
			}
			sent += static_cast<size_t>(count);
		}
		return usable;
	}

	void End() override {
		// of a session that has failed it would be an error
		if (usable) {
			Ssl().ERR_clear_error();
			Ssl().SSL_shutdown(session);
		}
	}

	std::string TakeOutput() override {
		std::string result;
		char buffer[BUFFER_BYTES];
		while (true) {
			auto count = Ssl().BIO_read(output, buffer, sizeof(buffer));
			if (count <= 0) {
				return result;
			}
			result.append(buffer, static_cast<size_t>(count));
		}
	}

private:
	//! What a record of TLS holds
	static constexpr size_t BUFFER_BYTES = 16ULL << 10;

	ssl_st *const session;
	//! The session's
	bio_st *const input;
	bio_st *const output;
	bool usable = true;
};

class OpenSslContext : public TlsContext {
public:
	OpenSslContext(const std::string &certificate, const std::string &key)
	    : context(Ssl().SSL_CTX_new(Ssl().TLS_server_method())) {
		try {
			Ssl().ERR_clear_error();
			Ssl().SSL_CTX_ctrl(context, CTRL_SET_MIN_PROTO_VERSION, TLS_1_2, nullptr);
			Ssl().SSL_CTX_ctrl(context, CTRL_MODE, MODE_ENABLE_PARTIAL_WRITE | MODE_ACCEPT_MOVING_WRITE_BUFFER,
			                   nullptr);
			Ssl().SSL_CTX_set_options(context, OP_NO_RENEGOTIATION);
			UseCertificates(certificate);
			UseKey(key);
		} catch (...) {
			Ssl().SSL_CTX_free(context);
			throw;
		}
	}
	~OpenSslContext() override {
		Ssl().SSL_CTX_free(context);
	}

	std::unique_ptr<TlsSession> Accept() const override {
		return std::make_unique<OpenSslSession>(context);
	}

private:
	void UseCertificates(const std::string &text) {
		PemText pem(text);
		auto own = Ssl().PEM_read_bio_X509(pem.bio, nullptr, NoPassword, nullptr);
		auto taken = own && Ssl().SSL_CTX_use_certificate(context, own) == 1;
		if (own) {
			Ssl().X509_free(own);
		}
		if (!taken) {
			Refuse("certificate");
		}
		while (auto *next = Ssl().PEM_read_bio_X509(pem.bio, nullptr, NoPassword, nullptr)) {
			// the context owns those that it takes
			if (Ssl().SSL_CTX_ctrl(context, CTRL_EXTRA_CHAIN_CERT, 0, next) != 1) {
				Ssl().X509_free(next);
				Refuse("certificates");
			}
		}
	}

	void UseKey(const std::string &text) {
		PemText pem(text);
		auto own = Ssl().PEM_read_bio_PrivateKey(pem.bio, nullptr, NoPassword, nullptr);
		auto taken = own && Ssl().SSL_CTX_use_PrivateKey(context, own) == 1;
		if (own) {
			Ssl().EVP_PKEY_free(own);
		}
		if (!taken || Ssl().SSL_CTX_check_private_key(context) != 1) {
			Refuse("key");
		}
	}

	ssl_ctx_st *const context;
};

} // namespace

std::shared_ptr<const TlsContext> MakeTlsContext(const std::string &certificate, const std::string &key) {
	return std::make_shared<OpenSslContext>(certificate, key);
}

} // namespace duckherder
