#include "CCurl.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void initialize(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

static struct curl_slist *list(const char *const *texts, size_t count, const char *format) {
  struct curl_slist *all = NULL;
  for (size_t i = 0; i < count; i++) {
    const size_t size = strlen(format) + strlen(texts[i]) + 1;
    char *line = malloc(size);
    struct curl_slist *longer = NULL;
    if (line) {
      snprintf(line, size, format, texts[i]);
      longer = curl_slist_append(all, line);
      free(line);
    }
    if (!longer) {
      curl_slist_free_all(all);
      return NULL;
    }
    all = longer;
  }
  return all;
}

static CURLcode prepare(CURL *curl, const struct ccurl_server *server, char *error) {
  // Nothing but mail, whatever the configuration says; no .netrc, no proxy of the environment.
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, server->verifiesPeer ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, server->verifiesPeer ? 2L : 0L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, server->timeoutSeconds);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, server->timeoutSeconds);
  if (server->trusted) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, server->trusted);
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
  }
  if (server->certificate) curl_easy_setopt(curl, CURLOPT_SSLCERT, server->certificate);
  if (server->key) curl_easy_setopt(curl, CURLOPT_SSLKEY, server->key);
  if (server->user) curl_easy_setopt(curl, CURLOPT_USERNAME, server->user);
  if (server->password) curl_easy_setopt(curl, CURLOPT_PASSWORD, server->password);
  CURLcode code = curl_easy_setopt(curl, CURLOPT_USE_SSL,
                                   (long)(server->needsTLS ? CURLUSESSL_ALL : CURLUSESSL_NONE));
  if (code != CURLE_OK) return code;
  return curl_easy_setopt(curl, CURLOPT_URL, server->url);
}

int ccurl_send(const struct ccurl_server *server, const struct ccurl_mail *mail, char error[512],
               long *reply) {
  char words[CURL_ERROR_SIZE] = "";
  CURLcode code = CURLE_OUT_OF_MEMORY;
  struct curl_slist *to = NULL, *headers = NULL;
  curl_mime *mime = NULL;
  *reply = 0;
  error[0] = 0;
  pthread_once(&once, initialize);
  CURL *curl = curl_easy_init();
  if (!curl) goto end;
  code = prepare(curl, server, words);
  if (code != CURLE_OK) goto end;
  if (mail) {
    code = CURLE_OUT_OF_MEMORY;
    to = list(mail->to, mail->toCount, "<%s>");
    headers = list(mail->headers, mail->headerCount, "%s");
    mime = curl_mime_init(curl);
    curl_mimepart *part = mime ? curl_mime_addpart(mime) : NULL;
    if (!to || !headers || !part) goto end;
    if (curl_mime_data(part, mail->text, CURL_ZERO_TERMINATED) != CURLE_OK ||
        curl_mime_type(part, "text/plain; charset=utf-8") != CURLE_OK ||
        curl_mime_encoder(part, "quoted-printable") != CURLE_OK)
      goto end;
    char from[1024];
    snprintf(from, sizeof from, "<%s>", mail->from);
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime);
  } else {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "NOOP");
  }
  code = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, reply);
end:
  if (code != CURLE_OK)
    snprintf(error, 512, "%s", words[0] ? words : curl_easy_strerror(code));
  curl_mime_free(mime);
  curl_slist_free_all(headers);
  curl_slist_free_all(to);
  if (curl) curl_easy_cleanup(curl);
  return (int)code;
}
