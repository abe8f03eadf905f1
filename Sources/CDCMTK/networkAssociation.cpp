#include "support.h"

#include "networkAssociation.h"
#include "networkReception.h"

#include "dcmtk/dcmdata/dcuid.h"
#include "dcmtk/dcmnet/lst.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>

namespace {

std::vector<std::string> texts(const char *const *values, size_t count) {
  return std::vector<std::string>(values, values + count);
}

std::vector<const char *> pointers(const std::vector<std::string> &values) {
  std::vector<const char *> result;
  for (const std::string &value : values) result.push_back(value.c_str());
  return result;
}

/// Leading and trailing spaces of an AE title are not significant (PS3.5 6.2).
std::string trimmed(const char *text) {
  const std::string value = text;
  const size_t first = value.find_first_not_of(' ');
  return first == std::string::npos ? ""
                                    : value.substr(first, value.find_last_not_of(' ') - first + 1);
}

class Association {
public:
  Association(AssociationSettings &settings, T_ASC_Association *association, int socket,
              const std::string &peer)
      : settings_(settings), association_(association), socket_(socket), peer_(peer),
        calling_(trimmed(association->params->DULparams.callingAPTitle)),
        called_(trimmed(association->params->DULparams.calledAPTitle)),
        identity_{settings.associations.fetch_add(1) + 1, seconds_now(), calling_.c_str(),
                  called_.c_str(), peer_.c_str()} {
    settings_.open_associations += 1;
  }

  ~Association() {
    ASC_dropSCPAssociation(association_, 0);
    ASC_destroyAssociation(&association_);
    settings_.open_associations -= 1;
  }

  void serve() {
    if (!negotiate()) return;
    tell(CDCMTK_EVENT_ACCEPTED, "");
    try {
      exchange();
    } catch (...) {
      // An association whose end is never told would be taken as open for ever.
      abort(CDCMTK_EVENT_ABORTED, "internal error");
      throw;
    }
  }

private:
  /// Answers messages until the association ends.
  void exchange() {
    OFCondition condition = EC_Normal;
    time_t last = time(nullptr);
    while (condition.good()) {
      if (settings_.stopping) return abort(CDCMTK_EVENT_SHUT_DOWN, "segmentd is stopping");
      T_DIMSE_Message message;
      memset(&message, 0, sizeof message);
      T_ASC_PresentationContextID context = 0;
      last_seen_ = incoming(socket_, 1000);
      condition = DIMSE_receiveCommand(association_, DIMSE_NONBLOCKING,
                                       last_seen_ == Incoming::nothing ? 0 : 1, &context,
                                       &message, nullptr);
      if (condition == DIMSE_NODATAAVAILABLE) {
        if (time(nullptr) - last > time_t(settings_.idle_timeout)) {
          return abort(CDCMTK_EVENT_TIMED_OUT, "the peer was silent for too long");
        }
        condition = EC_Normal;
        continue;
      }
      if (condition.good()) condition = answer(message, context);
      last = time(nullptr);
    }
    end(condition);
  }

  bool negotiate() {
    if (settings_.open_associations > settings_.maximum_associations) {
      return reject({ASC_RESULT_REJECTEDTRANSIENT, ASC_SOURCE_SERVICEPROVIDER_PRESENTATION_RELATED,
                     ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED},
                    "too many associations");
    }
    char application_context[DUL_LEN_NAME + 1];
    ASC_getApplicationContextName(association_->params, application_context,
                                  sizeof application_context);
    if (strcmp(application_context, UID_StandardApplicationContext) != 0) {
      return reject({ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER,
                     ASC_REASON_SU_APPCONTEXTNAMENOTSUPPORTED},
                    "application context not supported");
    }
    if (called_ != settings_.ae_title) {
      return reject({ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER,
                     ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED},
                    "called AE title " + called_ + " is not ours");
    }
    const auto &allowed = settings_.calling_ae_titles;
    if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), calling_) == allowed.end()) {
      return reject({ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER,
                     ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED},
                    "calling AE title is not on the list");
    }
    accept_contexts();
    if (ASC_countAcceptedPresentationContexts(association_->params) == 0) {
      return reject({ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER, ASC_REASON_SU_NOREASON},
                    "none of the proposed SOP classes and transfer syntaxes is accepted");
    }
    const OFCondition condition = ASC_acknowledgeAssociation(association_);
    if (condition.bad()) tell(CDCMTK_EVENT_NO_ASSOCIATION, condition.text());
    hide_unknown_syntaxes();
    return condition.good();
  }

  /// DCMTK 3.6.7 neither answers nor stores in a transfer syntax newer than itself. The peer knows
  /// what was accepted by now; DCMTK is told of another compressed syntax, and the true one is kept.
  void hide_unknown_syntaxes() {
    // DCMTK looks into either list.
    DUL_ASSOCIATESERVICEPARAMETERS &parameters = association_->params->DULparams;
    for (LST_HEAD **list :
         {&parameters.requestedPresentationContext, &parameters.acceptedPresentationContext}) {
      if (!*list) continue;
      auto *context = static_cast<DUL_PRESENTATIONCONTEXT *>(LST_Head(list));
      (void)LST_Position(list, context);
      for (; context; context = static_cast<DUL_PRESENTATIONCONTEXT *>(LST_Next(list))) {
        hide_unknown_syntax(*context);
      }
    }
  }

  void hide_unknown_syntax(DUL_PRESENTATIONCONTEXT &context) {
    if (!context.acceptedTransferSyntax[0]) return;
    if (DcmXfer(context.acceptedTransferSyntax).getXfer() != EXS_Unknown) return;
    hidden_syntaxes_[context.presentationContextID] = context.acceptedTransferSyntax;
    OFStandard::strlcpy(context.acceptedTransferSyntax, UID_JPEG2000LosslessOnlyTransferSyntax,
                        sizeof context.acceptedTransferSyntax);
  }

  std::string transfer_syntax(T_ASC_PresentationContextID id) const {
    const auto hidden = hidden_syntaxes_.find(id);
    if (hidden != hidden_syntaxes_.end()) return hidden->second;
    T_ASC_PresentationContext accepted;
    const bool known =
        ASC_findAcceptedPresentationContext(association_->params, id, &accepted).good();
    return known ? accepted.acceptedTransferSyntax : "";
  }

  void accept_contexts() {
    const char *verification[] = {UID_VerificationSOPClass};
    const char *plain[] = {UID_LittleEndianExplicitTransferSyntax,
                           UID_LittleEndianImplicitTransferSyntax};
    ASC_acceptContextsWithPreferredTransferSyntaxes(association_->params, verification, 1, plain,
                                                    2);
    std::vector<const char *> classes = pointers(settings_.sop_classes);
    std::vector<const char *> syntaxes = pointers(settings_.transfer_syntaxes);
    ASC_acceptContextsWithPreferredTransferSyntaxes(association_->params, classes.data(),
                                                    int(classes.size()), syntaxes.data(),
                                                    int(syntaxes.size()));
  }

  bool reject(T_ASC_RejectParameters reason, const std::string &message) {
    ASC_rejectAssociation(association_, &reason);
    tell(CDCMTK_EVENT_REJECTED, message);
    return false;
  }

  OFCondition answer(T_DIMSE_Message &message, T_ASC_PresentationContextID context) {
    switch (message.CommandField) {
      case DIMSE_C_ECHO_RQ:
        return DIMSE_sendEchoResponse(association_, context, &message.msg.CEchoRQ,
                                      settings_.echo(settings_.context, &identity_), nullptr);
      case DIMSE_C_STORE_RQ:
        return store(message.msg.CStoreRQ, context);
      default:
        return DIMSE_BADCOMMANDTYPE;
    }
  }

  OFCondition store(T_DIMSE_C_StoreRQ &request, T_ASC_PresentationContextID context) {
    const std::string transfer_syntax = this->transfer_syntax(context);
    ReceivedDataset dataset(settings_, association_, request, context, transfer_syntax, socket_);
    OFCondition condition = dataset.receive();
    if (condition.bad()) {
      last_seen_ = dataset.last_seen();
      refused_ += 1;
      refuse(dataset, request, transfer_syntax, -1, "the association ended before the dataset did");
      return condition;
    }
    uint16_t status = dataset.status();
    if (status == STATUS_Success) {
      const cdcmtk_received object = {&identity_,
                                      dataset.path().c_str(),
                                      request.AffectedSOPClassUID,
                                      request.AffectedSOPInstanceUID,
                                      transfer_syntax.c_str(),
                                      dataset.began_at()};
      status = settings_.store(settings_.context, &object);
      dataset.hand_over();
    } else {
      refuse(dataset, request, transfer_syntax, status, dataset.reason());
    }
    (status == STATUS_Success ? stored_ : refused_) += 1;
    return respond(request, context, status);
  }

  void refuse(const ReceivedDataset &dataset, const T_DIMSE_C_StoreRQ &request,
              const std::string &transfer_syntax, int status, const std::string &reason) {
    const std::vector<uint8_t> beginning = dataset.beginning();
    const cdcmtk_refused object = {&identity_,
                                   request.AffectedSOPClassUID,
                                   request.AffectedSOPInstanceUID,
                                   transfer_syntax.c_str(),
                                   dataset.began_at(),
                                   beginning.data(),
                                   beginning.size(),
                                   status,
                                   reason.c_str()};
    settings_.refusal(settings_.context, &object);
  }

  OFCondition respond(const T_DIMSE_C_StoreRQ &request, T_ASC_PresentationContextID context,
                      uint16_t status) {
    T_DIMSE_C_StoreRSP response;
    memset(&response, 0, sizeof response);
    response.MessageIDBeingRespondedTo = request.MessageID;
    response.DimseStatus = status;
    response.DataSetType = DIMSE_DATASET_NULL;
    OFStandard::strlcpy(response.AffectedSOPClassUID, request.AffectedSOPClassUID,
                        sizeof response.AffectedSOPClassUID);
    OFStandard::strlcpy(response.AffectedSOPInstanceUID, request.AffectedSOPInstanceUID,
                        sizeof response.AffectedSOPInstanceUID);
    response.opts = O_STORE_AFFECTEDSOPCLASSUID | O_STORE_AFFECTEDSOPINSTANCEUID;
    // DCMTK writes head and body of a PDU apart; corked they leave in one packet.
    CorkedSocket corked(socket_);
    return DIMSE_sendStoreResponse(association_, context, &request, &response, nullptr);
  }

  void end(const OFCondition &condition) {
    if (condition == DUL_PEERREQUESTEDRELEASE) {
      // Told first: once the peer has its answer, nothing may take the association as broken.
      tell(CDCMTK_EVENT_RELEASED, "");
      ASC_acknowledgeRelease(association_);
    } else if (last_seen_ == Incoming::abort) {
      tell(CDCMTK_EVENT_ABORTED_BY_PEER, "the peer aborted");
    } else if (settings_.out_of_time) {
      abort(CDCMTK_EVENT_SHUT_DOWN, "segmentd is stopping");
    } else if (condition == DIMSE_NODATAAVAILABLE || condition == DUL_READTIMEOUT) {
      abort(CDCMTK_EVENT_TIMED_OUT, "the peer was silent in the middle of a message");
    } else if (last_seen_ == Incoming::closed || condition == DUL_PEERABORTEDASSOCIATION ||
               condition == DUL_NETWORKCLOSED || condition == DIMSE_SENDFAILED) {
      abort(CDCMTK_EVENT_CONNECTION_LOST, "the connection was closed without release");
    } else {
      abort(CDCMTK_EVENT_ABORTED, condition.text());
    }
  }

  void abort(int kind, const std::string &reason) {
    ASC_abortAssociation(association_);
    tell(kind, reason);
  }

  void tell(int kind, const std::string &message) {
    const cdcmtk_event event = {kind, &identity_, message.c_str(), stored_, refused_};
    settings_.event(settings_.context, &event);
  }

  AssociationSettings &settings_;
  T_ASC_Association *association_;
  const int socket_;
  const std::string peer_, calling_, called_;
  const cdcmtk_association identity_;
  /// What was seen last of the connection.
  Incoming last_seen_ = Incoming::nothing;
  unsigned stored_ = 0, refused_ = 0;
  std::map<T_ASC_PresentationContextID, std::string> hidden_syntaxes_;
};

}  // namespace

void AssociationSettings::read(const cdcmtk_scp_options &options) {
  ae_title = options.ae_title;
  folder = options.folder;
  calling_ae_titles = texts(options.calling_ae_titles, options.calling_ae_title_count);
  sop_classes = texts(options.sop_classes, options.sop_class_count);
  transfer_syntaxes = texts(options.transfer_syntaxes, options.transfer_syntax_count);
  maximum_associations = options.maximum_associations;
  idle_timeout = options.idle_timeout;
  store = options.store;
  refusal = options.refusal;
  echo = options.echo;
  event = options.event;
  context = options.context;
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void report_no_association(AssociationSettings &settings, const std::string &peer,
                           const std::string &message) {
  const cdcmtk_association unidentified = {settings.associations.fetch_add(1) + 1, seconds_now(), "", "",
                                     peer.c_str()};
  const cdcmtk_event event = {CDCMTK_EVENT_NO_ASSOCIATION, &unidentified, message.c_str(), 0, 0};
  settings.event(settings.context, &event);
}

void serve_association(AssociationSettings &settings, T_ASC_Association *association, int socket,
                       const std::string &peer) {
  Association(settings, association, socket, peer).serve();
}
