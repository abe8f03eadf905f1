// Storage commitment (PS3.4 J) behind plain C. No exception leaves these functions.
#ifndef CDCMTK_COMMITMENT_H
#define CDCMTK_COMMITMENT_H

#include "CDCMTKNetwork.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  const char *sop_class_uid;
  const char *sop_instance_uid;
  /// Failure Reason (0008,1197); 0 where the object is held.
  uint16_t failure_reason;
} cdcmtk_commitment_reference;

/// What an N-EVENT-REPORT says (PS3.4 J.3.3).
typedef struct {
  /// Of the caller's choice.
  int64_t number;
  const char *transaction_uid;
  const cdcmtk_commitment_reference *references;
  size_t reference_count;
} cdcmtk_commitment_report;

/// Takes a report during the call.
typedef void (*cdcmtk_report_sink)(void *sink, const cdcmtk_commitment_report *report);

/// Takes the Event Information of a report on what we asked for, and decides the DIMSE status.
typedef uint16_t (*cdcmtk_report_handler)(void *context, const uint8_t *bytes, size_t count,
                                          const char *transfer_syntax_uid)
    __attribute__((swift_attr("@Sendable")));

/// The storage commitment SCP of a listener; on the threads of its associations.
typedef struct cdcmtk_commitment_handlers {
  /// An N-ACTION with its Action Information; decides the DIMSE status.
  uint16_t (*request)(void *context, const cdcmtk_association *association, const uint8_t *bytes,
                      size_t count, const char *transfer_syntax_uid)
      __attribute__((swift_attr("@Sendable")));
  /// Asked again and again while an association is open: calls the sink with a report that is ready
  /// for whoever opened it, or not at all.
  void (*next_report)(void *context, const cdcmtk_association *association,
                      cdcmtk_report_sink sink, void *sink_context)
      __attribute__((swift_attr("@Sendable")));
  /// The peer answered a report.
  void (*reported)(void *context, int64_t number, uint16_t status)
      __attribute__((swift_attr("@Sendable")));
  /// A peer reports on what we asked for, with its Event Information; decides the DIMSE status.
  uint16_t (*report)(void *context, const cdcmtk_association *association, const uint8_t *bytes,
                     size_t count, const char *transfer_syntax_uid)
      __attribute__((swift_attr("@Sendable")));
  void *context;
} cdcmtk_commitment_handlers;

/// See CDCMTKQuery.h.
struct cdcmtk_cancellation;

/// Sends a report over a new association. `status` is that of the peer's answer.
int cdcmtk_report_commitment(const cdcmtk_peer *peer, const cdcmtk_commitment_report *report,
                             struct cdcmtk_cancellation *cancellation, uint16_t *status,
                             cdcmtk_error *error);

/// A request for storage commitment (PS3.4 J.3.2).
typedef struct {
  const char *transaction_uid;
  const cdcmtk_commitment_reference *references;
  size_t reference_count;
  /// Seconds to wait for the report over the association of the request.
  unsigned patience;
  cdcmtk_report_handler report;
  void *context;
} cdcmtk_commitment_request;

/// Asks a peer to keep objects. `status` is that of its answer; the report may come over the same
/// association, or later over one of the peer's.
int cdcmtk_request_commitment(const cdcmtk_peer *peer, const cdcmtk_commitment_request *request,
                              struct cdcmtk_cancellation *cancellation, uint16_t *status,
                              cdcmtk_error *error);

#ifdef __cplusplus
}
#endif
#endif
