// DICOM upper layer and DIMSE by DCMTK behind plain C: a storage SCP and a storage SCU. No
// exception leaves these functions. The process must have been prepared by cdcmtk_initialize.
#ifndef CDCMTK_NETWORK_H
#define CDCMTK_NETWORK_H

#include "CDCMTKFile.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Who is at the other end. Texts are valid during the call only.
typedef struct {
  /// Unique among the associations of the SCP.
  uint64_t number;
  /// Seconds since 1970.
  double started_at;
  const char *calling_ae_title;
  const char *called_ae_title;
  const char *peer_address;
} cdcmtk_association;

/// An object of a C-STORE request. Its file is complete and synced; texts are valid during the
/// call only.
typedef struct {
  const cdcmtk_association *association;
  const char *path;
  const char *sop_class_uid;
  const char *sop_instance_uid;
  const char *transfer_syntax_uid;
  /// When the request came, in seconds since 1970.
  double began_at;
} cdcmtk_received;

/// An object of a C-STORE request that is not on disk. Valid during the call only.
typedef struct {
  const cdcmtk_association *association;
  const char *sop_class_uid;
  const char *sop_instance_uid;
  const char *transfer_syntax_uid;
  double began_at;
  /// The first bytes of the dataset, as far as they came and are kept.
  const uint8_t *beginning;
  size_t beginning_count;
  /// The status that will be answered, or -1 where the association ended before the dataset did.
  int status;
  const char *reason;
} cdcmtk_refused;

typedef enum {
  CDCMTK_EVENT_ACCEPTED = 0,
  CDCMTK_EVENT_REJECTED = 1,
  /// A connection that never became an association.
  CDCMTK_EVENT_NO_ASSOCIATION = 2,
  /// The ends of an association that was accepted.
  CDCMTK_EVENT_RELEASED = 3,
  CDCMTK_EVENT_ABORTED_BY_PEER = 4,
  CDCMTK_EVENT_CONNECTION_LOST = 5,
  CDCMTK_EVENT_TIMED_OUT = 6,
  /// Aborted by us for a violation of the protocol.
  CDCMTK_EVENT_ABORTED = 7,
  CDCMTK_EVENT_SHUT_DOWN = 8,
} cdcmtk_event_kind;

typedef struct {
  int kind;
  const cdcmtk_association *association;
  const char *message;
  unsigned stored;
  unsigned refused;
} cdcmtk_event;

/// Decides the DIMSE status of a received object. Called on the association's thread; from its
/// return on the file belongs to the callee, whatever the status.
typedef uint16_t (*cdcmtk_store_handler)(void *context, const cdcmtk_received *object)
    __attribute__((swift_attr("@Sendable")));
/// Told of an object that the SCP refuses by itself, before the status is sent, or that did not come
/// to its end; on the association's thread.
typedef void (*cdcmtk_refusal_handler)(void *context, const cdcmtk_refused *object)
    __attribute__((swift_attr("@Sendable")));
/// Decides the DIMSE status of a C-ECHO, on the association's thread.
typedef uint16_t (*cdcmtk_echo_handler)(void *context, const cdcmtk_association *association)
    __attribute__((swift_attr("@Sendable")));
/// Told of the beginning and end of associations, on their threads.
typedef void (*cdcmtk_event_handler)(void *context, const cdcmtk_event *event)
    __attribute__((swift_attr("@Sendable")));

typedef struct {
  const char *ae_title;
  const char *address;
  uint16_t port;
  /// A folder for files on their way in, on the file system where they will stay.
  const char *folder;
  /// AE titles that may call, or a count of 0 for all.
  const char *const *calling_ae_titles;
  size_t calling_ae_title_count;
  const char *const *sop_classes;
  size_t sop_class_count;
  /// Accepted transfer syntaxes, the preferred one first.
  const char *const *transfer_syntaxes;
  size_t transfer_syntax_count;
  unsigned maximum_associations;
  /// Seconds that a caller has to send its association request.
  unsigned request_timeout;
  /// Seconds of silence after which an association is aborted.
  unsigned idle_timeout;
  cdcmtk_store_handler store;
  cdcmtk_refusal_handler refusal;
  cdcmtk_echo_handler echo;
  cdcmtk_event_handler event;
  void *context;
} cdcmtk_scp_options;

typedef struct cdcmtk_scp cdcmtk_scp;

/// Listens; connections are served on threads of the SCP from now on.
int cdcmtk_scp_start(const cdcmtk_scp_options *options, cdcmtk_scp **scp, cdcmtk_error *error);
/// Takes no further association, lets a C-STORE that has begun end for up to 20 seconds, joins
/// every thread and frees the SCP.
void cdcmtk_scp_stop(cdcmtk_scp *scp);

typedef struct {
  const char *calling_ae_title;
  const char *called_ae_title;
  const char *host;
  uint16_t port;
  /// Seconds for the connection, the association and each answer.
  unsigned timeout;
} cdcmtk_peer;

typedef struct {
  const char *path;
  const char *sop_class_uid;
  const char *transfer_syntax_uid;
} cdcmtk_outgoing;

typedef struct {
  /// Whether an answer came; if not, `message` says what failed.
  int answered;
  uint16_t status;
  char message[256];
} cdcmtk_store_answer;

int cdcmtk_echo(const cdcmtk_peer *peer, cdcmtk_error *error);
/// Sends files in one association. `answers` has room for `count`.
int cdcmtk_store(const cdcmtk_peer *peer, const cdcmtk_outgoing *files, size_t count,
                 cdcmtk_store_answer *answers, cdcmtk_error *error);

#ifdef __cplusplus
}
#endif
#endif
