#include "support.h"

#include "networkCommitment.h"
#include "networkMessage.h"
#include "networkRequestor.h"

#include "dcmtk/dcmdata/dcuid.h"

namespace {

// 100,000 references take half of it.
constexpr size_t maximum_information = 32 << 20;
constexpr std::chrono::seconds information_time(60);
constexpr DIC_US request_storage_commitment = 1;
constexpr DIC_US successful = 1, failures_exist = 2;

// PS3.7 C.4 and C.5.
constexpr uint16_t no_such_sop_class = 0x0118, no_such_sop_instance = 0x0112;
constexpr uint16_t no_such_action = 0x0123, missing_attribute = 0x0120, no_such_event = 0x0113;

OFCondition append(DcmDataset &dataset, const DcmTagKey &sequence,
                   const cdcmtk_commitment_reference &reference) {
  DcmItem *item = nullptr;
  OFCondition condition = dataset.findOrCreateSequenceItem(sequence, item, -2);
  if (condition.good()) {
    condition = item->putAndInsertString(DCM_ReferencedSOPClassUID, reference.sop_class_uid);
  }
  if (condition.good()) {
    condition =
        item->putAndInsertString(DCM_ReferencedSOPInstanceUID, reference.sop_instance_uid);
  }
  if (condition.good() && reference.failure_reason != 0) {
    condition = item->putAndInsertUint16(DCM_FailureReason, reference.failure_reason);
  }
  return condition;
}

/// An association over which a report goes to who asked for it.
class ReportingAssociation : public RequestedAssociation {
public:
  using RequestedAssociation::RequestedAssociation;

  OFCondition report(const cdcmtk_commitment_report &report, uint16_t &status) {
    const T_ASC_PresentationContextID context = ASC_findAcceptedPresentationContextID(
        association_, UID_StorageCommitmentPushModelSOPClass);
    if (context == 0) return DIMSE_NOVALIDPRESENTATIONCONTEXTID;
    const DIC_US id = association_->nextMsgID++;
    OFCondition condition = send_commitment_report(association_, context, id, report);
    if (condition.bad()) return keep(condition);
    T_DIMSE_Message message;
    T_ASC_PresentationContextID answered = 0;
    condition = next_command(Clock::now() + std::chrono::seconds(peer_.timeout), message, answered,
                             nullptr);
    if (condition.bad()) return keep(condition);
    if (message.CommandField != DIMSE_N_EVENT_REPORT_RSP ||
        message.msg.NEventReportRSP.MessageIDBeingRespondedTo != id) {
      return keep(DIMSE_BADMESSAGE);
    }
    status = message.msg.NEventReportRSP.DimseStatus;
    return EC_Normal;
  }
};

/// An association over which we ask for storage commitment.
class CommitmentAssociation : public RequestedAssociation {
public:
  CommitmentAssociation(const cdcmtk_peer &peer, const cdcmtk_commitment_request &request,
                        cdcmtk_cancellation *cancellation)
      : RequestedAssociation(peer, cancellation), request_(request) {}

  /// Sends the N-ACTION and waits for its answer, then for a while for the report.
  OFCondition ask(uint16_t &status) {
    context_ = ASC_findAcceptedPresentationContextID(association_,
                                                     UID_StorageCommitmentPushModelSOPClass);
    if (context_ == 0) return DIMSE_NOVALIDPRESENTATIONCONTEXTID;
    OFCondition condition = send();
    if (condition.bad()) return keep(condition);
    const auto deadline = Clock::now() + std::chrono::seconds(timeout());
    bool is_answered = false, is_reported = false;
    while (!is_answered) {
      condition = receive(deadline, status, is_answered, is_reported);
      if (condition.bad()) return keep(condition);
    }
    if (status != STATUS_Success) return EC_Normal;
    const auto patience = Clock::now() + std::chrono::seconds(request_.patience);
    // The request stands, whatever becomes of its association.
    while (!is_reported && is_established() && Clock::now() < patience) {
      condition = receive(patience, status, is_answered, is_reported);
      if (condition.bad()) {
        if (condition != DIMSE_NODATAAVAILABLE) (void)keep(condition);
        break;
      }
    }
    return EC_Normal;
  }

private:
  OFCondition send() {
    DcmDataset information;
    OFCondition condition =
        information.putAndInsertString(DCM_TransactionUID, request_.transaction_uid);
    for (size_t i = 0; i < request_.reference_count && condition.good(); ++i) {
      condition = append(information, DCM_ReferencedSOPSequence, request_.references[i]);
    }
    if (condition.bad()) return condition;
    T_DIMSE_Message message;
    memset(&message, 0, sizeof message);
    message.CommandField = DIMSE_N_ACTION_RQ;
    T_DIMSE_N_ActionRQ &action = message.msg.NActionRQ;
    action.MessageID = message_id_ = association_->nextMsgID++;
    action.ActionTypeID = request_storage_commitment;
    action.DataSetType = DIMSE_DATASET_PRESENT;
    OFStandard::strlcpy(action.RequestedSOPClassUID, UID_StorageCommitmentPushModelSOPClass,
                        sizeof action.RequestedSOPClassUID);
    OFStandard::strlcpy(action.RequestedSOPInstanceUID, UID_StorageCommitmentPushModelSOPInstance,
                        sizeof action.RequestedSOPInstanceUID);
    connection().begin_message();
    return DIMSE_sendMessageUsingMemoryData(association_, context_, &message, nullptr, &information,
                                            nullptr, nullptr);
  }

  /// The report may come before the answer.
  OFCondition receive(Clock::time_point deadline, uint16_t &status, bool &is_answered,
                      bool &is_reported) {
    T_DIMSE_Message message;
    T_ASC_PresentationContextID context = 0;
    const OFCondition condition = next_command(deadline, message, context, nullptr);
    if (condition.bad()) return condition;
    if (message.CommandField == DIMSE_N_EVENT_REPORT_RQ) {
      is_reported = true;
      const std::string syntax = transfer_syntax(context);
      return answer_commitment_report(
          association_, connection(), message.msg.NEventReportRQ, context,
          [&](const std::vector<uint8_t> &information) {
            return request_.report(request_.context, information.data(), information.size(),
                                   syntax.c_str());
          });
    }
    if (message.CommandField != DIMSE_N_ACTION_RSP ||
        message.msg.NActionRSP.MessageIDBeingRespondedTo != message_id_) {
      return DIMSE_BADMESSAGE;
    }
    is_answered = true;
    status = message.msg.NActionRSP.DimseStatus;
    if (message.msg.NActionRSP.DataSetType == DIMSE_DATASET_NULL) return EC_Normal;
    std::vector<uint8_t> reply;
    return read_dataset(association_, connection(), context, maximum_information, information_time,
                        reply);
  }

  const cdcmtk_commitment_request &request_;
  T_ASC_PresentationContextID context_ = 0;
  DIC_US message_id_ = 0;
};

}  // namespace

OFCondition answer_commitment_report(T_ASC_Association *association, PeerConnection &connection,
                                     const T_DIMSE_N_EventReportRQ &request,
                                     T_ASC_PresentationContextID context,
                                     const ReportDecision &decide) {
  std::vector<uint8_t> information;
  if (request.DataSetType != DIMSE_DATASET_NULL) {
    const OFCondition condition = read_dataset(association, connection, context,
                                               maximum_information, information_time, information);
    if (condition == DIMSE_OUTOFRESOURCES) {
      connection.give_up("a report on storage commitment is larger than " +
                         std::to_string(maximum_information) + " bytes");
    }
    if (condition.bad()) return condition;
  }
  T_DIMSE_Message message;
  memset(&message, 0, sizeof message);
  message.CommandField = DIMSE_N_EVENT_REPORT_RSP;
  T_DIMSE_N_EventReportRSP &response = message.msg.NEventReportRSP;
  response.MessageIDBeingRespondedTo = request.MessageID;
  response.EventTypeID = request.EventTypeID;
  response.DataSetType = DIMSE_DATASET_NULL;
  response.opts = O_NEVENTREPORT_AFFECTEDSOPCLASSUID | O_NEVENTREPORT_AFFECTEDSOPINSTANCEUID |
                  O_NEVENTREPORT_EVENTTYPEID;
  OFStandard::strlcpy(response.AffectedSOPClassUID, request.AffectedSOPClassUID,
                      sizeof response.AffectedSOPClassUID);
  OFStandard::strlcpy(response.AffectedSOPInstanceUID, request.AffectedSOPInstanceUID,
                      sizeof response.AffectedSOPInstanceUID);
  if (strcmp(request.AffectedSOPClassUID, UID_StorageCommitmentPushModelSOPClass) != 0) {
    response.DimseStatus = no_such_sop_class;
  } else if (strcmp(request.AffectedSOPInstanceUID, UID_StorageCommitmentPushModelSOPInstance) !=
             0) {
    response.DimseStatus = no_such_sop_instance;
  } else if (request.EventTypeID != successful && request.EventTypeID != failures_exist) {
    response.DimseStatus = no_such_event;
  } else {
    response.DimseStatus = information.empty() ? missing_attribute : decide(information);
  }
  return DIMSE_sendMessageUsingMemoryData(association, context, &message, nullptr, nullptr,
                                          nullptr, nullptr);
}

OFCondition CommitmentProvider::take(const T_DIMSE_N_EventReportRQ &request,
                                     T_ASC_PresentationContextID context,
                                     const std::string &transfer_syntax) {
  return answer_commitment_report(
      association_, connection_, request, context, [&](const std::vector<uint8_t> &information) {
        return settings_.commitment.report(settings_.commitment.context, &identity_,
                                           information.data(), information.size(),
                                           transfer_syntax.c_str());
      });
}

OFCondition send_commitment_report(T_ASC_Association *association,
                                   T_ASC_PresentationContextID context, DIC_US message_id,
                                   const cdcmtk_commitment_report &report) {
  DcmDataset information;
  OFCondition condition =
      information.putAndInsertString(DCM_TransactionUID, report.transaction_uid);
  bool has_failures = false;
  for (size_t i = 0; i < report.reference_count && condition.good(); ++i) {
    const cdcmtk_commitment_reference &reference = report.references[i];
    const bool failed = reference.failure_reason != 0;
    has_failures = has_failures || failed;
    condition = append(information, failed ? DCM_FailedSOPSequence : DCM_ReferencedSOPSequence,
                       reference);
  }
  if (condition.bad()) return condition;
  T_DIMSE_Message message;
  memset(&message, 0, sizeof message);
  message.CommandField = DIMSE_N_EVENT_REPORT_RQ;
  T_DIMSE_N_EventReportRQ &request = message.msg.NEventReportRQ;
  request.MessageID = message_id;
  request.EventTypeID = has_failures ? failures_exist : successful;
  request.DataSetType = DIMSE_DATASET_PRESENT;
  OFStandard::strlcpy(request.AffectedSOPClassUID, UID_StorageCommitmentPushModelSOPClass,
                      sizeof request.AffectedSOPClassUID);
  OFStandard::strlcpy(request.AffectedSOPInstanceUID, UID_StorageCommitmentPushModelSOPInstance,
                      sizeof request.AffectedSOPInstanceUID);
  return DIMSE_sendMessageUsingMemoryData(association, context, &message, nullptr, &information,
                                          nullptr, nullptr);
}

OFCondition CommitmentProvider::answer(const T_DIMSE_N_ActionRQ &request,
                                       T_ASC_PresentationContextID context,
                                       const std::string &transfer_syntax) {
  std::vector<uint8_t> information;
  if (request.DataSetType != DIMSE_DATASET_NULL) {
    const OFCondition condition = read_dataset(association_, connection_, context,
                                               maximum_information, information_time, information);
    if (condition == DIMSE_OUTOFRESOURCES) {
      connection_.give_up("a request for storage commitment is larger than " +
                          std::to_string(maximum_information) + " bytes");
    }
    if (condition.bad()) return condition;
  }
  T_DIMSE_Message message;
  memset(&message, 0, sizeof message);
  message.CommandField = DIMSE_N_ACTION_RSP;
  T_DIMSE_N_ActionRSP &response = message.msg.NActionRSP;
  response.MessageIDBeingRespondedTo = request.MessageID;
  response.DimseStatus = decide(request, information, transfer_syntax);
  response.ActionTypeID = request.ActionTypeID;
  response.DataSetType = DIMSE_DATASET_NULL;
  response.opts = O_NACTION_AFFECTEDSOPCLASSUID | O_NACTION_AFFECTEDSOPINSTANCEUID |
                  O_NACTION_ACTIONTYPEID;
  OFStandard::strlcpy(response.AffectedSOPClassUID, request.RequestedSOPClassUID,
                      sizeof response.AffectedSOPClassUID);
  OFStandard::strlcpy(response.AffectedSOPInstanceUID, request.RequestedSOPInstanceUID,
                      sizeof response.AffectedSOPInstanceUID);
  if (response.DimseStatus == STATUS_Success) context_ = context;
  return DIMSE_sendMessageUsingMemoryData(association_, context, &message, nullptr, nullptr,
                                          nullptr, nullptr);
}

uint16_t CommitmentProvider::decide(const T_DIMSE_N_ActionRQ &request,
                                    const std::vector<uint8_t> &information,
                                    const std::string &transfer_syntax) {
  if (strcmp(request.RequestedSOPClassUID, UID_StorageCommitmentPushModelSOPClass) != 0) {
    return no_such_sop_class;
  }
  if (strcmp(request.RequestedSOPInstanceUID, UID_StorageCommitmentPushModelSOPInstance) != 0) {
    return no_such_sop_instance;
  }
  if (request.ActionTypeID != request_storage_commitment) return no_such_action;
  if (information.empty()) return missing_attribute;
  return settings_.commitment.request(settings_.commitment.context, &identity_, information.data(),
                                      information.size(), transfer_syntax.c_str());
}

OFCondition CommitmentProvider::report() {
  if (context_ == 0 || !awaited_.empty()) return EC_Normal;
  struct Sending {
    CommitmentProvider &provider;
    OFCondition condition;
  } sending{*this, EC_Normal};
  settings_.commitment.next_report(
      settings_.commitment.context, &identity_,
      [](void *sink, const cdcmtk_commitment_report *report) {
        Sending &sending = *static_cast<Sending *>(sink);
        CommitmentProvider &self = sending.provider;
        const DIC_US id = self.association_->nextMsgID++;
        self.awaited_[id] = report->number;
        sending.condition =
            send_commitment_report(self.association_, self.context_, id, *report);
      },
      &sending);
  return sending.condition;
}

OFCondition CommitmentProvider::take(const T_DIMSE_N_EventReportRSP &response,
                                     T_ASC_PresentationContextID context) {
  if (response.DataSetType != DIMSE_DATASET_NULL) {
    std::vector<uint8_t> reply;
    const OFCondition condition = read_dataset(association_, connection_, context,
                                               maximum_information, information_time, reply);
    if (condition.bad()) return condition;
  }
  const auto report = awaited_.find(response.MessageIDBeingRespondedTo);
  if (report == awaited_.end()) return DIMSE_BADMESSAGE;
  settings_.commitment.reported(settings_.commitment.context, report->second,
                                response.DimseStatus);
  awaited_.erase(report);
  return EC_Normal;
}

int cdcmtk_report_commitment(const cdcmtk_peer *peer, const cdcmtk_commitment_report *report,
                             cdcmtk_cancellation *cancellation, uint16_t *status,
                             cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    ReportingAssociation association(*peer, cancellation);
    // We are the SCP although we ask for the association (PS3.4 J.3.3.1.4, PS3.7 D.3.3.4).
    const ProposedContext context = {UID_StorageCommitmentPushModelSOPClass,
                                     {UID_LittleEndianExplicitTransferSyntax,
                                      UID_LittleEndianImplicitTransferSyntax},
                                     true};
    const int code = association.request({context}, error);
    if (code != CDCMTK_OK) return code;
    return cdcmtk_check(association.report(*report, *status), CDCMTK_BAD_DATA, error);
  });
}

int cdcmtk_request_commitment(const cdcmtk_peer *peer, const cdcmtk_commitment_request *request,
                              cdcmtk_cancellation *cancellation, uint16_t *status,
                              cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    CommitmentAssociation association(*peer, *request, cancellation);
    const ProposedContext context = {UID_StorageCommitmentPushModelSOPClass,
                                     {UID_LittleEndianExplicitTransferSyntax,
                                      UID_LittleEndianImplicitTransferSyntax}};
    const int code = association.request({context}, error);
    if (code != CDCMTK_OK) return code;
    return cdcmtk_check(association.ask(*status), CDCMTK_BAD_DATA, error);
  });
}
