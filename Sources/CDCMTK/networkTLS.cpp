#include "support.h"

#include "networkTLS.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>

namespace {

// RFC 9325 4.2: forward secrecy and authenticated encryption; TLS 1.3 has nothing else.
constexpr const char *cipher_suites =
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";

std::string openssl_words() {
  const unsigned long code = ERR_peek_last_error();
  const char *words = code ? ERR_reason_error_string(code) : nullptr;
  return words ? words : "unknown reason";
}

bool load_own(SSL_CTX *context, const char *certificate, const char *key, std::string &reason) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1) {
    reason = std::string(certificate) + ": no certificate can be read: " + openssl_words();
  } else if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
    reason = std::string(key) + ": no key of the certificate can be read: " + openssl_words();
  } else if (SSL_CTX_check_private_key(context) != 1) {
    reason = std::string(key) + " is not the key of " + certificate;
  }
  return reason.empty();
}

bool load_trusted(SSL_CTX *context, const char *trusted, std::string &reason) {
  ERR_clear_error();
  if (SSL_CTX_load_verify_locations(context, trusted, nullptr) != 1) {
    reason = std::string(trusted) + ": no trusted certificate can be read: " + openssl_words();
  }
  return reason.empty();
}

bool load(SSL_CTX *context, const cdcmtk_tls_options &options, std::string &reason) {
  if (!load_own(context, options.certificate, options.key, reason)) return false;
  if (!options.trusted) return true;
  if (!load_trusted(context, options.trusted, reason)) return false;
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(options.trusted));
  return true;
}

/// A key whose passphrase nobody can type is none.
int no_passphrase(char *, int, int, void *) { return 0; }

/// What both sides have in common.
TLSContext make_context(const SSL_METHOD *method, std::string &reason) {
  TLSContext context(SSL_CTX_new(method));
  if (!context) {
    reason = "TLS cannot start: " + openssl_words();
    return nullptr;
  }
  SSL_CTX *tls = context.get();
  SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
  SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_default_passwd_cb(tls, no_passphrase);
  if (SSL_CTX_set_cipher_list(tls, cipher_suites) != 1 ||
      SSL_CTX_set1_groups_list(tls, "X25519:P-256:P-384") != 1) {
    reason = "TLS cannot start: " + openssl_words();
    return nullptr;
  }
  return context;
}

/// Between which times, in seconds since 1970, the context's own certificate is valid.
bool find_validity(SSL_CTX *context, double *not_before, double *not_after) {
  const X509 *certificate = SSL_CTX_get0_certificate(context);
  tm begin = {}, end = {};
  if (!certificate || ASN1_TIME_to_tm(X509_get0_notBefore(certificate), &begin) != 1 ||
      ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) {
    return false;
  }
  *not_before = double(timegm(&begin));
  *not_after = double(timegm(&end));
  return true;
}

}  // namespace

TLSContext make_tls_context(const cdcmtk_peer_tls &options, std::string &reason) {
  TLSContext context = make_context(TLS_client_method(), reason);
  if (!context) return nullptr;
  SSL_CTX_set_verify(context.get(), options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (options.certificate &&
      !load_own(context.get(), options.certificate, options.key, reason)) {
    return nullptr;
  }
  if (options.trusted && !load_trusted(context.get(), options.trusted, reason)) return nullptr;
  return context;
}

SSL *make_tls_client(SSL_CTX *context, const cdcmtk_peer_tls &options, const char *host) {
  SSL *ssl = SSL_new(context);
  if (!ssl) return nullptr;
  SSL_set_connect_state(ssl);
  const char *name = options.name ? options.name : host;
  // An address is looked for among the certificate's addresses, and is never sent as a name (RFC 6066 3).
  X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
  const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1;
  ERR_clear_error();
  const bool is_set = is_address || (SSL_set1_host(ssl, name) == 1 &&
                                     SSL_set_tlsext_host_name(ssl, name) == 1);
  if (is_set) return ssl;
  SSL_free(ssl);
  return nullptr;
}

TLSContext make_tls_context(const cdcmtk_tls_options &options, std::string &reason) {
  TLSContext context = make_context(TLS_server_method(), reason);
  if (!context) return nullptr;
  SSL_CTX *tls = context.get();
  SSL_CTX_set_num_tickets(tls, 0);
  int verify = SSL_VERIFY_NONE;
  if (options.client_certificates == CDCMTK_CLIENT_CERTIFICATES_REQUEST) {
    verify = SSL_VERIFY_PEER;
  } else if (options.client_certificates == CDCMTK_CLIENT_CERTIFICATES_REQUIRE) {
    verify = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  SSL_CTX_set_verify(tls, verify, nullptr);
  if (!load(tls, options, reason)) return nullptr;
  return context;
}

std::string tls_failure(SSL *ssl, int result) {
  const int error = SSL_get_error(ssl, result);
  const unsigned long code = ERR_peek_error();
  const long verified = SSL_get_verify_result(ssl);
  if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK) {
    return std::string("the peer's certificate is not accepted: ") +
           X509_verify_cert_error_string(verified);
  }
  if (ERR_GET_REASON(code) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    return "the peer has no certificate";
  }
  // Alerts of the peer (RFC 8446 6).
  const int alert = ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET;
  if (ERR_GET_LIB(code) == ERR_LIB_SSL && alert > 0 && alert < 256) {
    return std::string("the peer refuses: ") + SSL_alert_desc_string_long(alert);
  }
  if (code != 0) return openssl_words();
  return error == SSL_ERROR_SYSCALL && errno != 0 ? std::strerror(errno)
                                                  : "the connection was closed";
}

int cdcmtk_tls_check(const cdcmtk_tls_options *options, double *not_before, double *not_after,
                     cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    std::string reason;
    const TLSContext context = make_tls_context(*options, reason);
    if (!context) return cdcmtk_fail(error, CDCMTK_BAD_DATA, reason.c_str());
    if (!find_validity(context.get(), not_before, not_after)) {
      return cdcmtk_fail(error, CDCMTK_BAD_DATA, "the certificate does not say when it is valid");
    }
    return int(CDCMTK_OK);
  });
}

int cdcmtk_peer_tls_check(const cdcmtk_peer_tls *options, double *not_before, double *not_after,
                          cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    std::string reason;
    const TLSContext context = make_tls_context(*options, reason);
    if (!context) return cdcmtk_fail(error, CDCMTK_BAD_DATA, reason.c_str());
    *not_before = -HUGE_VAL;
    *not_after = HUGE_VAL;
    if (options->certificate && !find_validity(context.get(), not_before, not_after)) {
      return cdcmtk_fail(error, CDCMTK_BAD_DATA, "the certificate does not say when it is valid");
    }
    return int(CDCMTK_OK);
  });
}
