// Query/retrieve SCU (PS3.4 C) by DCMTK behind plain C. No exception leaves these functions. The
// process must have been prepared by cdcmtk_initialize.
#ifndef CDCMTK_QUERY_H
#define CDCMTK_QUERY_H

#include "CDCMTKNetwork.h"

#ifdef __cplusplus
extern "C" {
#endif

cdcmtk_cancellation *cdcmtk_cancellation_create(void);
void cdcmtk_cancellation_free(cdcmtk_cancellation *cancellation);
/// May be called at any time and from any thread, also more than once.
void cdcmtk_cancel(cdcmtk_cancellation *cancellation);

/// PS3.4 C.4.1 to C.4.3.
typedef enum { CDCMTK_C_FIND = 0, CDCMTK_C_GET = 1, CDCMTK_C_MOVE = 2 } cdcmtk_query_service;

/// One element of an identifier; a value is text in the default character repertoire.
typedef struct {
  uint32_t tag;
  const char *value;
} cdcmtk_query_key;

/// Told of the identifier of one match of a C-FIND, or of the one that names failed instances;
/// the bytes are valid during the call only.
typedef void (*cdcmtk_identifier_handler)(void *context, const uint8_t *bytes, size_t count,
                                          const char *transfer_syntax_uid)
    __attribute__((swift_attr("@Sendable")));
/// Told of the sub-operations of a C-GET or C-MOVE.
typedef void (*cdcmtk_progress_handler)(void *context, unsigned completed, unsigned remaining)
    __attribute__((swift_attr("@Sendable")));

typedef struct {
  int service;
  /// Level, unique keys and, of a C-FIND, what is asked for.
  const cdcmtk_query_key *keys;
  size_t key_count;
  /// C-MOVE: the AE title that the peer is to send to.
  const char *destination;
  /// C-GET: what may be received, the preferred transfer syntax first.
  const char *const *sop_classes;
  size_t sop_class_count;
  const char *const *transfer_syntaxes;
  size_t transfer_syntax_count;
  /// C-GET: a folder for files on their way in, on the file system where they will stay.
  const char *folder;
  /// C-GET: what the peer may cost; those of one object count.
  cdcmtk_limits limits;
  /// Most matches of a C-FIND, or objects of a C-GET.
  size_t maximum_count;
  /// Most bytes of one identifier.
  size_t maximum_identifier_size;
  /// Seconds without a match, an object or a change of the number of sub-operations.
  unsigned maximum_silence;
  /// Seconds for everything; 0 for no limit.
  unsigned maximum_duration;
  cdcmtk_identifier_handler identifier;
  cdcmtk_progress_handler progress;
  cdcmtk_store_handler store;
  cdcmtk_refusal_handler refusal;
  cdcmtk_event_handler event;
  void *context;
  cdcmtk_cancellation *cancellation;
} cdcmtk_query_request;

/// How far a query came.
typedef enum {
  /// There is no association.
  CDCMTK_QUERY_NOT_ASSOCIATED = 0,
  /// The peer accepts neither information model of the service.
  CDCMTK_QUERY_NOT_SUPPORTED = 1,
  /// The association ended before the final response did.
  CDCMTK_QUERY_BROKEN = 2,
  CDCMTK_QUERY_TIMED_OUT = 3,
  CDCMTK_QUERY_TOO_MUCH = 4,
  CDCMTK_QUERY_CANCELLED = 5,
  /// The final response came.
  CDCMTK_QUERY_ANSWERED = 6,
} cdcmtk_query_end;

typedef struct {
  int end;
  /// Of the final response, with its meaning (PS3.4 C.4) and the peer's Error Comment (0000,0902).
  uint16_t status;
  char meaning[256];
  char comment[256];
  /// Sub-operations as the peer counted them last; -1 where it did not.
  int completed, failed, warning, remaining;
} cdcmtk_query_answer;

/// Asks one question over one association: study root, or patient root where the peer has no other.
///
/// Returns CDCMTK_OK whenever a final response came, whatever its status; else `error` says why not
/// and `answer->end` how far it came.
int cdcmtk_query(const cdcmtk_peer *peer, const cdcmtk_query_request *request,
                 cdcmtk_query_answer *answer, cdcmtk_error *error);

#ifdef __cplusplus
}
#endif
#endif
