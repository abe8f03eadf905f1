// Storage commitment over the associations of a listener; not visible from Swift.
#ifndef CDCMTK_NETWORK_COMMITMENT_H
#define CDCMTK_NETWORK_COMMITMENT_H

#include "networkAssociation.h"

#include <functional>
#include <map>

/// Answers N-ACTION and sends the reports on what was asked for (PS3.4 J.3).
class CommitmentProvider {
public:
  CommitmentProvider(AssociationSettings &settings, T_ASC_Association *association,
                     PeerConnection &connection, const cdcmtk_association &identity)
      : settings_(settings), association_(association), connection_(connection),
        identity_(identity) {}

  OFCondition answer(const T_DIMSE_N_ActionRQ &request, T_ASC_PresentationContextID context,
                     const std::string &transfer_syntax);
  /// Sends a report that is ready, where something was asked for over this association and no answer
  /// to an earlier one is awaited.
  OFCondition report();
  OFCondition take(const T_DIMSE_N_EventReportRSP &response, T_ASC_PresentationContextID context);
  /// Takes a report on what we asked for over another association, and answers it.
  OFCondition take(const T_DIMSE_N_EventReportRQ &request, T_ASC_PresentationContextID context,
                   const std::string &transfer_syntax);

private:
  uint16_t decide(const T_DIMSE_N_ActionRQ &request, const std::vector<uint8_t> &information,
                  const std::string &transfer_syntax);

  AssociationSettings &settings_;
  T_ASC_Association *association_;
  PeerConnection &connection_;
  const cdcmtk_association &identity_;
  /// Of the last request; 0 before.
  T_ASC_PresentationContextID context_ = 0;
  /// The number of the report that is under way, by its message.
  std::map<DIC_US, int64_t> awaited_;
};

/// The status for a report by its Event Information.
using ReportDecision = std::function<uint16_t(const std::vector<uint8_t> &)>;

/// Reads an N-EVENT-REPORT on what we asked for, has it decided on, and answers it.
OFCondition answer_commitment_report(T_ASC_Association *association, PeerConnection &connection,
                                     const T_DIMSE_N_EventReportRQ &request,
                                     T_ASC_PresentationContextID context,
                                     const ReportDecision &decide);

/// Sends an N-EVENT-REPORT.
OFCondition send_commitment_report(T_ASC_Association *association,
                                   T_ASC_PresentationContextID context, DIC_US message_id,
                                   const cdcmtk_commitment_report &report);

#endif
