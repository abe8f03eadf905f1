// TLS of a listener and of peers that we call by BCP 195 (PS3.15 B.12); not visible from Swift.
#ifndef CDCMTK_NETWORK_TLS_H
#define CDCMTK_NETWORK_TLS_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "CDCMTKNetwork.h"

struct FreeTLS {
  void operator()(SSL_CTX *context) const { SSL_CTX_free(context); }
};
using TLSContext = std::unique_ptr<SSL_CTX, FreeTLS>;

/// Loads certificate, key and trusted certificates; null with words in `reason` where one of them
/// cannot be used.
TLSContext make_tls_context(const cdcmtk_tls_options &options, std::string &reason);

/// The same for peers that we call.
TLSContext make_tls_context(const cdcmtk_peer_tls &options, std::string &reason);

/// A session as client; `host` is who is called. Null where there is no memory for it.
SSL *make_tls_client(SSL_CTX *context, const cdcmtk_peer_tls &options, const char *host);

/// What went wrong in a call that returned `result`, in words, without anything that names the peer.
std::string tls_failure(SSL *ssl, int result);

#endif
