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
  /// Unique among the associations of this process.
  uint64_t number;
  /// In seconds since the machine was started (CLOCK_BOOTTIME).
  double started_at;
  const char *calling_ae_title;
  const char *called_ae_title;
  const char *peer_address;
} cdcmtk_association;

/// A number that no association of this process has or will have.
uint64_t cdcmtk_next_association_number(void);

/// An object of a C-STORE request. Its file is complete, not synced, unless it has `contents`; texts,
/// descriptor and contents are valid during the call only.
typedef struct {
  const cdcmtk_association *association;
  const char *path;
  /// Of the file, open for reading and writing.
  int descriptor;
  const char *sop_class_uid;
  const char *sop_instance_uid;
  const char *transfer_syntax_uid;
  /// When the request came, in seconds since the machine was started.
  double began_at;
  /// SHA-256 of the dataset as it came, 32 bytes; null where it is not known.
  const uint8_t *dataset_hash;
  /// Where the dataset begins in the file, behind the file meta information that was written.
  size_t dataset_offset;
  /// The whole of a file that is still empty: the callee writes it. Null where the file is complete, as all
  /// are that the SCP made by itself, and all that are larger than what is held in memory.
  const uint8_t *contents;
  size_t content_count;
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

/// See CDCMTKCommitment.h.
struct cdcmtk_commitment_handlers;

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

typedef enum {
  CDCMTK_ADMITTED = 0,
  CDCMTK_CALLED_AE_TITLE_NOT_RECOGNIZED = 1,
  CDCMTK_CALLING_AE_TITLE_NOT_RECOGNIZED = 2,
  /// For now; the peer may try again later.
  CDCMTK_LOCAL_LIMIT_EXCEEDED = 3,
} cdcmtk_admission;

/// Decides who may have an association, before anything else of its request is read; on the
/// connection's thread. A message for the log goes into `message`, which has room for `size`.
typedef int (*cdcmtk_admission_handler)(void *context, const cdcmtk_association *association,
                                        char *message, size_t size)
    __attribute__((swift_attr("@Sendable")));
/// What a file handler returns to leave the file to the SCP.
#define CDCMTK_NO_FILE (-1000000)
/// Opens an empty file for an object that is about to come, on the association's thread.
///
/// Returns the descriptor, which the SCP closes, with the path as text of up to `size` characters; or a
/// negative errno, or CDCMTK_NO_FILE.
typedef int32_t (*cdcmtk_file_handler)(void *context, char *path, size_t size)
    __attribute__((swift_attr("@Sendable")));
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

/// Told several times a second that the SCP takes connections, on the thread that takes them.
typedef void (*cdcmtk_beat_handler)(void *context) __attribute__((swift_attr("@Sendable")));

/// What a peer may cost.
typedef struct {
  unsigned maximum_associations;
  unsigned maximum_associations_per_address;
  /// Connections that have not sent a whole association request yet.
  unsigned maximum_waiting;
  unsigned maximum_waiting_per_address;
  /// Seconds from the connection to the end of the association request.
  unsigned request_seconds;
  /// Seconds of silence after which an association is aborted.
  unsigned idle_seconds;
  /// Seconds for one PDU or command set, and for one object from its request to its end.
  unsigned pdu_seconds;
  unsigned object_seconds;
  /// Bytes of one dataset.
  uint64_t object_bytes;
  /// Bytes that stay free on the file system of the folder.
  uint64_t disk_reserve;
} cdcmtk_limits;

typedef enum {
  CDCMTK_CLIENT_CERTIFICATES_NONE = 0,
  CDCMTK_CLIENT_CERTIFICATES_REQUEST = 1,
  CDCMTK_CLIENT_CERTIFICATES_REQUIRE = 2,
} cdcmtk_client_certificates;

/// Files in PEM.
typedef struct {
  /// The listener's certificate, then those between it and the root.
  const char *certificate;
  const char *key;
  /// Of those who sign clients' certificates, or null.
  const char *trusted;
  int client_certificates;
} cdcmtk_tls_options;

/// Whether a listener can use the files, without listening; and between which times, in seconds since
/// 1970, its certificate is valid.
int cdcmtk_tls_check(const cdcmtk_tls_options *options, double *not_before, double *not_after,
                     cdcmtk_error *error);

typedef struct {
  const char *address;
  uint16_t port;
  /// A folder for files on their way in, on the file system where they will stay.
  const char *folder;
  /// SOP classes of C-STORE.
  const char *const *sop_classes;
  size_t sop_class_count;
  /// Their transfer syntaxes.
  const char *const *transfer_syntaxes;
  size_t transfer_syntax_count;
  cdcmtk_limits limits;
  /// Null for plain TCP.
  const cdcmtk_tls_options *tls;
  cdcmtk_admission_handler admit;
  cdcmtk_file_handler file;
  cdcmtk_store_handler store;
  cdcmtk_refusal_handler refusal;
  cdcmtk_echo_handler echo;
  cdcmtk_event_handler event;
  /// May be null.
  cdcmtk_beat_handler beat;
  void *context;
  /// Null where storage commitment is not offered.
  const struct cdcmtk_commitment_handlers *commitment;
} cdcmtk_scp_options;

typedef struct cdcmtk_scp cdcmtk_scp;

/// Listens; connections are served on threads of the SCP from now on.
int cdcmtk_scp_start(const cdcmtk_scp_options *options, cdcmtk_scp **scp, cdcmtk_error *error);
/// Takes no further association, lets a C-STORE that has begun end for up to 3 seconds, joins every
/// thread and frees the SCP.
void cdcmtk_scp_stop(cdcmtk_scp *scp);

/// TLS to a peer that we call. Files in PEM.
typedef struct {
  /// Ours, followed by those between it and the root, or null.
  const char *certificate;
  const char *key;
  /// Of those who sign the peer's certificate, or null.
  const char *trusted;
  /// The name or address that the peer's certificate has to be for; null for the peer's host.
  const char *name;
  /// Whether the peer's certificate is checked.
  int verify;
} cdcmtk_peer_tls;

/// Whether the files can be used, and between which times, in seconds since 1970, our own certificate is
/// valid; without one, always.
int cdcmtk_peer_tls_check(const cdcmtk_peer_tls *options, double *not_before, double *not_after,
                          cdcmtk_error *error);

typedef struct {
  const char *calling_ae_title;
  const char *called_ae_title;
  const char *host;
  uint16_t port;
  /// Seconds for the connection, the association and each answer.
  unsigned timeout;
  /// Null for plain TCP.
  const cdcmtk_peer_tls *tls;
} cdcmtk_peer;

typedef struct {
  const char *path;
  const char *sop_class_uid;
  const char *transfer_syntax_uid;
} cdcmtk_outgoing;

typedef struct {
  /// Whether an answer came; if not, `message` says what failed.
  int answered;
  /// Whether nothing was sent because no presentation context fits.
  int not_accepted;
  uint16_t status;
  char message[256];
} cdcmtk_store_answer;

/// Ends what an association of ours waits for, from another thread.
typedef struct cdcmtk_cancellation cdcmtk_cancellation;

/// `cancellation` may be null.
int cdcmtk_echo(const cdcmtk_peer *peer, cdcmtk_cancellation *cancellation, cdcmtk_error *error);
/// Asks which SOP classes a peer takes, as uncompressed objects, and sends nothing but C-ECHO. `accepted` has
/// room for `count` values: 1 where the class is taken.
int cdcmtk_negotiate(const cdcmtk_peer *peer, const char *const *sop_classes, size_t count,
                     uint8_t *accepted, cdcmtk_cancellation *cancellation, cdcmtk_error *error);
/// Told of the answer to a file as soon as it came, on the thread of the call.
typedef void (*cdcmtk_answer_handler)(void *context, size_t index,
                                      const cdcmtk_store_answer *answer)
    __attribute__((swift_attr("@Sendable")));
/// Sends files in one association. `answers` has room for `count`; `answered` and `cancellation` may be
/// null.
int cdcmtk_store(const cdcmtk_peer *peer, const cdcmtk_outgoing *files, size_t count,
                 cdcmtk_store_answer *answers, cdcmtk_answer_handler answered, void *context,
                 cdcmtk_cancellation *cancellation, cdcmtk_error *error);

#ifdef __cplusplus
}
#endif
#endif
