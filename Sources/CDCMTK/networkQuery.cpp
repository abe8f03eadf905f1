// The query/retrieve SCU (PS3.4 C). What a peer answers is data from outside: the number of matches
// and objects, their sizes and all waiting are bounded.

#include "support.h"

#include "networkMessage.h"
#include "networkRequestor.h"
#include "networkStore.h"

#include "dcmtk/dcmdata/dcuid.h"
#include "dcmtk/dcmnet/diutil.h"

#include <memory>

namespace {

/// The SOP classes of one service, study root first (PS3.4 C.6).
std::vector<const char *> information_models(int service) {
  switch (service) {
    case CDCMTK_C_GET:
      return {UID_GETStudyRootQueryRetrieveInformationModel,
              UID_GETPatientRootQueryRetrieveInformationModel};
    case CDCMTK_C_MOVE:
      return {UID_MOVEStudyRootQueryRetrieveInformationModel,
              UID_MOVEPatientRootQueryRetrieveInformationModel};
    default:
      return {UID_FINDStudyRootQueryRetrieveInformationModel,
              UID_FINDPatientRootQueryRetrieveInformationModel};
  }
}

const char *name_of(int service) {
  return service == CDCMTK_C_GET ? "C-GET" : service == CDCMTK_C_MOVE ? "C-MOVE" : "C-FIND";
}

/// One context for each SOP class and transfer syntax, so that objects come as they are stored. Where
/// so many do not fit, the last context of a class proposes the rest of the syntaxes.
void add_storage(const cdcmtk_query_request &request, std::vector<ProposedContext> &contexts) {
  if (request.sop_class_count == 0 || request.transfer_syntax_count == 0) return;
  const size_t each = (maximum_contexts - contexts.size()) / request.sop_class_count;
  if (each == 0) throw std::runtime_error("too many SOP classes for one association");
  for (size_t i = 0; i < request.sop_class_count; ++i) {
    std::vector<ProposedContext> of_class;
    for (size_t j = 0; j < request.transfer_syntax_count; ++j) {
      if (of_class.size() < each) of_class.push_back({request.sop_classes[i], {}, true});
      of_class.back().transfer_syntaxes.push_back(request.transfer_syntaxes[j]);
    }
    contexts.insert(contexts.end(), of_class.begin(), of_class.end());
  }
}

std::vector<ProposedContext> contexts_of(const cdcmtk_query_request &request) {
  std::vector<ProposedContext> contexts;
  for (const char *model : information_models(request.service)) {
    contexts.push_back({model,
                        {UID_LittleEndianExplicitTransferSyntax,
                         UID_LittleEndianImplicitTransferSyntax}});
  }
  if (request.service == CDCMTK_C_GET) add_storage(request, contexts);
  return contexts;
}

bool is_pending(uint16_t status) { return (status & 0xFFFE) == 0xFF00; }

class Query : public RequestedAssociation {
public:
  Query(const cdcmtk_peer &peer, const cdcmtk_query_request &request, cdcmtk_query_answer &answer)
      : RequestedAssociation(peer, request.cancellation), request_(request), answer_(answer),
        who_(peer.called_ae_title, peer.calling_ae_title, peer.host), identity_(who_.in_c()) {
    settings_.limits = request.limits;
    if (request.folder) settings_.folder = request.folder;
    settings_.store = request.store;
    settings_.refusal = request.refusal;
    settings_.event = request.event;
    settings_.context = request.context;
  }

  int run(cdcmtk_error *error) {
    answer_.end = CDCMTK_QUERY_NOT_ASSOCIATED;
    if (is_cancelled()) return fail(CDCMTK_QUERY_CANCELLED, "cancelled", error);
    const int code = RequestedAssociation::request(contexts_of(request_), error);
    // Of one that takes no presentation context at all the association is rejected.
    if (code == CDCMTK_NO_CONTEXT) answer_.end = CDCMTK_QUERY_NOT_SUPPORTED;
    if (code != CDCMTK_OK) return code;
    const bool found = find_context();
    if (!found) {
      return fail(CDCMTK_QUERY_NOT_SUPPORTED,
                  std::string("the peer accepts no query/retrieve information model for ") +
                      name_of(request_.service),
                  error);
    }
    storing_ = std::make_unique<StoreProvider>(settings_, association_, connection(), identity_);
    begun_ = moved_ = Clock::now();
    const int result = keep(send()).bad()
                           ? fail(CDCMTK_QUERY_BROKEN, "the request could not be sent", error)
                           : receive(error);
    tell();
    return result;
  }

private:
  bool find_context() {
    for (const char *model : information_models(request_.service)) {
      context_ = ASC_findAcceptedPresentationContextID(association_, model);
      if (context_ == 0) continue;
      model_ = model;
      return true;
    }
    return false;
  }

  OFCondition send() {
    DcmDataset identifier;
    for (size_t i = 0; i < request_.key_count; ++i) {
      const cdcmtk_query_key &key = request_.keys[i];
      const OFCondition condition = identifier.putAndInsertString(
          DcmTag(Uint16(key.tag >> 16), Uint16(key.tag & 0xFFFF)), key.value);
      if (condition.bad()) return condition;
    }
    T_DIMSE_Message message;
    memset(&message, 0, sizeof message);
    message_id_ = association_->nextMsgID++;
    switch (request_.service) {
      case CDCMTK_C_GET:
        message.CommandField = DIMSE_C_GET_RQ;
        fill(message.msg.CGetRQ);
        break;
      case CDCMTK_C_MOVE:
        message.CommandField = DIMSE_C_MOVE_RQ;
        fill(message.msg.CMoveRQ);
        OFStandard::strlcpy(message.msg.CMoveRQ.MoveDestination, request_.destination,
                            sizeof message.msg.CMoveRQ.MoveDestination);
        break;
      default:
        message.CommandField = DIMSE_C_FIND_RQ;
        fill(message.msg.CFindRQ);
    }
    return DIMSE_sendMessageUsingMemoryData(association_, context_, &message, nullptr, &identifier,
                                            nullptr, nullptr);
  }

  template <typename Request> void fill(Request &request) {
    request.MessageID = message_id_;
    request.Priority = DIMSE_PRIORITY_MEDIUM;
    request.DataSetType = DIMSE_DATASET_PRESENT;
    OFStandard::strlcpy(request.AffectedSOPClassUID, model_, sizeof request.AffectedSOPClassUID);
  }

  /// Takes what comes until the final response.
  int receive(cdcmtk_error *error) {
    while (true) {
      T_DIMSE_Message message;
      T_ASC_PresentationContextID context = 0;
      DcmDataset *detail = nullptr;
      const OFCondition condition = next_command(deadline(), message, context, &detail);
      const std::unique_ptr<DcmDataset> comment(detail);
      if (condition.bad()) return broken(condition, error);
      int code = CDCMTK_OK;
      bool is_final = false;
      if (message.CommandField == DIMSE_C_STORE_RQ && request_.service == CDCMTK_C_GET) {
        code = store(message.msg.CStoreRQ, context, error);
      } else if (message.CommandField == response_field()) {
        code = respond(message, context, comment.get(), is_final, error);
      } else {
        code = protocol_error("the peer sent a message that answers no request", error);
      }
      if (code != CDCMTK_OK || is_final) return code;
      if (Clock::now() >= deadline()) return broken(DIMSE_NODATAAVAILABLE, error);
    }
  }

  Clock::time_point deadline() const {
    const auto silence = moved_ + std::chrono::seconds(request_.maximum_silence);
    if (request_.maximum_duration == 0) return silence;
    return std::min(silence, begun_ + std::chrono::seconds(request_.maximum_duration));
  }

  T_DIMSE_Command response_field() const {
    switch (request_.service) {
      case CDCMTK_C_GET: return DIMSE_C_GET_RSP;
      case CDCMTK_C_MOVE: return DIMSE_C_MOVE_RSP;
      default: return DIMSE_C_FIND_RSP;
    }
  }

  int store(const T_DIMSE_C_StoreRQ &request, T_ASC_PresentationContextID context,
            cdcmtk_error *error) {
    if (++count_ > request_.maximum_count) return too_much("more objects than asked for", error);
    const OFCondition condition = storing_->answer(request, context, transfer_syntax(context));
    if (condition.bad()) return broken(condition, error);
    moved_ = Clock::now();
    return CDCMTK_OK;
  }

  int respond(const T_DIMSE_Message &message, T_ASC_PresentationContextID context,
              DcmDataset *detail, bool &is_final, cdcmtk_error *error) {
    uint16_t id = 0;
    T_DIMSE_DataSetType type = DIMSE_DATASET_NULL;
    switch (request_.service) {
      case CDCMTK_C_GET:
        take(message.msg.CGetRSP, id, type);
        count(message.msg.CGetRSP);
        break;
      case CDCMTK_C_MOVE:
        take(message.msg.CMoveRSP, id, type);
        count(message.msg.CMoveRSP);
        break;
      default: take(message.msg.CFindRSP, id, type);
    }
    if (id != message_id_ || context != context_) {
      return protocol_error("the peer answered another request", error);
    }
    if (type != DIMSE_DATASET_NULL) {
      const int code = identifier(error);
      if (code != CDCMTK_OK) return code;
    }
    is_final = !is_pending(answer_.status);
    if (is_final) finish(detail);
    return CDCMTK_OK;
  }

  template <typename Response>
  void take(const Response &response, uint16_t &id, T_DIMSE_DataSetType &type) {
    id = response.MessageIDBeingRespondedTo;
    type = response.DataSetType;
    answer_.status = response.DimseStatus;
  }

  /// The numbers have bits of the same values in both responses.
  template <typename Response> void count(const Response &response) {
    static_assert(O_GET_NUMBEROFREMAININGSUBOPERATIONS == O_MOVE_NUMBEROFREMAININGSUBOPERATIONS &&
                      O_GET_NUMBEROFCOMPLETEDSUBOPERATIONS == O_MOVE_NUMBEROFCOMPLETEDSUBOPERATIONS &&
                      O_GET_NUMBEROFFAILEDSUBOPERATIONS == O_MOVE_NUMBEROFFAILEDSUBOPERATIONS &&
                      O_GET_NUMBEROFWARNINGSUBOPERATIONS == O_MOVE_NUMBEROFWARNINGSUBOPERATIONS,
                  "as in dimse.h of DCMTK 3.6.7");
    set(answer_.remaining, response, O_GET_NUMBEROFREMAININGSUBOPERATIONS,
        response.NumberOfRemainingSubOperations);
    set(answer_.completed, response, O_GET_NUMBEROFCOMPLETEDSUBOPERATIONS,
        response.NumberOfCompletedSubOperations);
    set(answer_.failed, response, O_GET_NUMBEROFFAILEDSUBOPERATIONS,
        response.NumberOfFailedSubOperations);
    set(answer_.warning, response, O_GET_NUMBEROFWARNINGSUBOPERATIONS,
        response.NumberOfWarningSubOperations);
    if (request_.progress && answer_.completed >= 0 && answer_.remaining >= 0) {
      request_.progress(request_.context, unsigned(answer_.completed), unsigned(answer_.remaining));
    }
  }

  template <typename Response>
  void set(int &number, const Response &response, unsigned bit, uint16_t value) {
    if (!(response.opts & bit) || number == int(value)) return;
    // Less remains each time, however often the peer answers.
    if (bit == O_GET_NUMBEROFREMAININGSUBOPERATIONS && (number < 0 || int(value) < number)) {
      moved_ = Clock::now();
    }
    number = value;
  }

  int identifier(cdcmtk_error *error) {
    std::vector<uint8_t> bytes;
    const OFCondition condition =
        read_dataset(association_, connection(), context_, request_.maximum_identifier_size,
                     std::chrono::seconds(peer_.timeout), bytes);
    if (condition == DIMSE_OUTOFRESOURCES) {
      return too_much("an identifier larger than " +
                          std::to_string(request_.maximum_identifier_size) + " bytes",
                      error);
    }
    if (condition.bad()) return broken(condition, error);
    if (request_.service == CDCMTK_C_FIND && is_pending(answer_.status)) {
      if (++count_ > request_.maximum_count) {
        return too_much("more than " + std::to_string(request_.maximum_count) + " matches", error);
      }
      moved_ = Clock::now();
    }
    const std::string syntax = transfer_syntax(context_);
    request_.identifier(request_.context, bytes.data(), bytes.size(), syntax.c_str());
    return CDCMTK_OK;
  }

  void finish(DcmDataset *detail) {
    answer_.end = CDCMTK_QUERY_ANSWERED;
    const char *meaning = request_.service == CDCMTK_C_GET    ? DU_cgetStatusString(answer_.status)
                          : request_.service == CDCMTK_C_MOVE ? DU_cmoveStatusString(answer_.status)
                                                              : DU_cfindStatusString(answer_.status);
    snprintf(answer_.meaning, sizeof answer_.meaning, "%s", meaning);
    OFString comment;
    if (detail && detail->findAndGetOFString(DCM_ErrorComment, comment).good()) {
      snprintf(answer_.comment, sizeof answer_.comment, "%s", comment.c_str());
    }
  }

  int broken(const OFCondition &condition, cdcmtk_error *error) {
    if (is_cancelled()) return fail(CDCMTK_QUERY_CANCELLED, "cancelled", error);
    if (condition == DIMSE_NODATAAVAILABLE || condition == DUL_READTIMEOUT) {
      return fail(CDCMTK_QUERY_TIMED_OUT,
                  Clock::now() >= deadline() && deadline() < moved_ + silence()
                      ? "it took longer than " + std::to_string(request_.maximum_duration) + " s"
                      : "the peer made no progress",
                  error);
    }
    switch (connection().end()) {
      case ConnectionEnd::open: return fail(CDCMTK_QUERY_BROKEN, condition.text(), error);
      case ConnectionEnd::timed_out:
        return fail(CDCMTK_QUERY_TIMED_OUT, connection().failure(), error);
      default: return fail(CDCMTK_QUERY_BROKEN, connection().failure(), error);
    }
  }

  std::chrono::seconds silence() const { return std::chrono::seconds(request_.maximum_silence); }

  int too_much(const std::string &what, cdcmtk_error *error) {
    return fail(CDCMTK_QUERY_TOO_MUCH, what, error);
  }

  int protocol_error(const char *what, cdcmtk_error *error) {
    return fail(CDCMTK_QUERY_BROKEN, what, error);
  }

  int fail(cdcmtk_query_end end, const std::string &message, cdcmtk_error *error) {
    answer_.end = end;
    reason_ = message;
    abort();
    return cdcmtk_fail(error, CDCMTK_BAD_DATA, message.c_str());
  }

  /// Objects that came over an association which did not end well are not all that there are.
  void tell() {
    if (!settings_.event) return;
    int kind = CDCMTK_EVENT_RELEASED;
    switch (answer_.end) {
      case CDCMTK_QUERY_ANSWERED: break;
      case CDCMTK_QUERY_TIMED_OUT: kind = CDCMTK_EVENT_TIMED_OUT; break;
      case CDCMTK_QUERY_TOO_MUCH: kind = CDCMTK_EVENT_ABORTED; break;
      case CDCMTK_QUERY_CANCELLED: kind = CDCMTK_EVENT_SHUT_DOWN; break;
      default: kind = CDCMTK_EVENT_CONNECTION_LOST;
    }
    report(settings_, who_, kind, reason_, storing_->stored(), storing_->refused());
  }

  const cdcmtk_query_request &request_;
  cdcmtk_query_answer &answer_;
  AssociationSettings settings_;
  const AssociationIdentity who_;
  const cdcmtk_association identity_;
  std::unique_ptr<StoreProvider> storing_;
  T_ASC_PresentationContextID context_ = 0;
  const char *model_ = "";
  /// Why it did not end well.
  std::string reason_;
  DIC_US message_id_ = 0;
  size_t count_ = 0;
  Clock::time_point begun_, moved_;
};

}  // namespace

cdcmtk_cancellation *cdcmtk_cancellation_create(void) {
  return new (std::nothrow) cdcmtk_cancellation;
}

void cdcmtk_cancellation_free(cdcmtk_cancellation *cancellation) { delete cancellation; }

void cdcmtk_cancel(cdcmtk_cancellation *cancellation) {
  if (!cancellation) return;
  cdcmtk_guarded(nullptr, [&] {
    cancellation->cancel();
    return int(CDCMTK_OK);
  });
}

int cdcmtk_query(const cdcmtk_peer *peer, const cdcmtk_query_request *request,
                 cdcmtk_query_answer *answer, cdcmtk_error *error) {
  *answer = {};
  answer->completed = answer->failed = answer->warning = answer->remaining = -1;
  return cdcmtk_guarded(error, [&] { return Query(*peer, *request, *answer).run(error); });
}
