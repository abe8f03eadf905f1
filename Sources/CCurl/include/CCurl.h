// The part of libcurl that the module Notifications needs: one e-mail by SMTP (RFC 5321).

#ifndef CCURL_H
#define CCURL_H

#include <stdbool.h>
#include <stddef.h>

/// A mail server and how it is reached; texts are NULL where there is nothing to say.
struct ccurl_server {
  /// smtp://HOST:PORT/NAME, or smtps:// for TLS from the beginning; NAME is our own, for EHLO.
  const char *url;
  /// Whether nothing is sent without TLS, which STARTTLS begins.
  bool needsTLS;
  const char *user;
  const char *password;
  /// Files in PEM.
  const char *trusted;
  const char *certificate;
  const char *key;
  bool verifiesPeer;
  long timeoutSeconds;
};

/// Envelope, header lines and text, which is UTF-8 with lines that end by LF.
struct ccurl_mail {
  const char *from;
  const char *const *to;
  size_t toCount;
  const char *const *headers;
  size_t headerCount;
  const char *text;
};

/// Sends a mail, or, where `mail` is NULL, connects and logs in alone. Blocks for at most the server's timeout.
///
/// Returns 0, or a code of libcurl (CURLcode), with words for it in `error`. `reply` is the last reply
/// code of the server, 0 where there was none.
int ccurl_send(const struct ccurl_server *server, const struct ccurl_mail *mail, char error[512],
               long *reply);

#endif
