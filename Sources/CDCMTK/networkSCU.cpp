#include "support.h"

#include "networkRequestor.h"

#include "dcmtk/dcmnet/diutil.h"

#include <set>
#include <string>
#include <utility>

namespace {

/// SOP class and transfer syntax.
using Contexts = std::set<std::pair<std::string, std::string>>;

std::vector<ProposedContext> proposed(const Contexts &contexts) {
  std::vector<ProposedContext> proposed;
  for (const auto &context : contexts) proposed.push_back({context.first, {context.second}});
  return proposed;
}

/// An association over which we send.
class SendingAssociation : public RequestedAssociation {
public:
  using RequestedAssociation::RequestedAssociation;

  OFCondition echo(uint16_t &status) {
    DcmDataset *detail = nullptr;
    connection().begin_message();
    const OFCondition condition = DIMSE_echoUser(association_, association_->nextMsgID++,
                                                 DIMSE_NONBLOCKING, timeout(), &status, &detail);
    delete detail;
    return keep(condition);
  }

  bool accepts(const char *sop_class) {
    return ASC_findAcceptedPresentationContextID(association_, sop_class) != 0;
  }

  OFCondition store(const cdcmtk_outgoing &outgoing, uint16_t &status) {
    DcmFileFormat file;
    OFCondition condition = file.loadFile(outgoing.path);
    if (condition.bad()) return condition;
    DcmDataset *dataset = file.getDataset();
    T_ASC_PresentationContext context;
    condition = find_context(outgoing, context);
    if (condition.bad()) return condition;
    const E_TransferSyntax syntax = DcmXfer(context.acceptedTransferSyntax).getXfer();
    condition = dataset->chooseRepresentation(syntax, nullptr);
    if (condition.bad()) return condition;
    T_DIMSE_C_StoreRQ request;
    memset(&request, 0, sizeof request);
    const char *instance = "";
    dataset->findAndGetString(DCM_SOPInstanceUID, instance);
    request.MessageID = association_->nextMsgID++;
    request.DataSetType = DIMSE_DATASET_PRESENT;
    request.Priority = DIMSE_PRIORITY_MEDIUM;
    OFStandard::strlcpy(request.AffectedSOPClassUID, outgoing.sop_class_uid,
                        sizeof request.AffectedSOPClassUID);
    OFStandard::strlcpy(request.AffectedSOPInstanceUID, instance ? instance : "",
                        sizeof request.AffectedSOPInstanceUID);
    T_DIMSE_C_StoreRSP response;
    memset(&response, 0, sizeof response);
    DcmDataset *detail = nullptr;
    connection().begin_message();
    condition = DIMSE_storeUser(association_, context.presentationContextID, &request, nullptr,
                                dataset, nullptr, nullptr, DIMSE_NONBLOCKING, timeout(),
                                &response, &detail);
    delete detail;
    status = response.DimseStatus;
    return keep(condition);
  }

private:
  /// The accepted context for an object as it is, or in another uncompressed transfer syntax.
  OFCondition find_context(const cdcmtk_outgoing &outgoing, T_ASC_PresentationContext &context) {
    const T_ASC_PresentationContextID id = ASC_findAcceptedPresentationContextID(
        association_, outgoing.sop_class_uid, outgoing.transfer_syntax_uid);
    if (id == 0) return DIMSE_NOVALIDPRESENTATIONCONTEXTID;
    const OFCondition condition =
        ASC_findAcceptedPresentationContext(parameters_, id, &context);
    if (condition.bad()) return condition;
    // Compressed objects go as they are or not at all.
    const bool as_it_is = strcmp(context.acceptedTransferSyntax, outgoing.transfer_syntax_uid) == 0;
    const bool compressed = DcmXfer(outgoing.transfer_syntax_uid).isEncapsulated();
    return compressed && !as_it_is ? OFCondition(DIMSE_NOVALIDPRESENTATIONCONTEXTID) : condition;
  }
};

Contexts contexts_for(const cdcmtk_outgoing *files, size_t count) {
  Contexts contexts;
  for (size_t i = 0; i < count; ++i) {
    contexts.insert({files[i].sop_class_uid, files[i].transfer_syntax_uid});
    // Uncompressed objects may go in either little endian syntax.
    if (DcmXfer(files[i].transfer_syntax_uid).isEncapsulated()) continue;
    contexts.insert({files[i].sop_class_uid, UID_LittleEndianExplicitTransferSyntax});
    contexts.insert({files[i].sop_class_uid, UID_LittleEndianImplicitTransferSyntax});
  }
  return contexts;
}

}  // namespace

int cdcmtk_echo(const cdcmtk_peer *peer, cdcmtk_cancellation *cancellation, cdcmtk_error *error) {
  return cdcmtk_negotiate(peer, nullptr, 0, nullptr, cancellation, error);
}

int cdcmtk_negotiate(const cdcmtk_peer *peer, const char *const *sop_classes, size_t count,
                     uint8_t *accepted, cdcmtk_cancellation *cancellation, cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    SendingAssociation association(*peer, cancellation);
    std::vector<ProposedContext> contexts = {
        {UID_VerificationSOPClass, {UID_LittleEndianImplicitTransferSyntax}}};
    for (size_t i = 0; i < count; ++i) {
      contexts.push_back({sop_classes[i],
                          {UID_LittleEndianExplicitTransferSyntax,
                           UID_LittleEndianImplicitTransferSyntax}});
    }
    const int code = association.request(contexts, error);
    if (code != CDCMTK_OK) return code;
    for (size_t i = 0; i < count; ++i) accepted[i] = association.accepts(sop_classes[i]);
    uint16_t status = 0;
    const OFCondition condition = association.echo(status);
    if (condition.good() && status != STATUS_Success) {
      return cdcmtk_fail(error, CDCMTK_BAD_DATA, "the peer answered C-ECHO with an error status");
    }
    return cdcmtk_check(condition, CDCMTK_BAD_DATA, error);
  });
}

int cdcmtk_store(const cdcmtk_peer *peer, const cdcmtk_outgoing *files, size_t count,
                 cdcmtk_store_answer *answers, cdcmtk_answer_handler answered, void *context,
                 cdcmtk_cancellation *cancellation, cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    SendingAssociation association(*peer, cancellation);
    const int code = association.request(proposed(contexts_for(files, count)), error);
    if (code == CDCMTK_NO_CONTEXT) {
      for (size_t i = 0; i < count; ++i) {
        answers[i].not_accepted = 1;
        snprintf(answers[i].message, sizeof answers[i].message, "%s", error->message);
        if (answered) answered(context, i, &answers[i]);
      }
      return int(CDCMTK_OK);
    }
    if (code != CDCMTK_OK) return code;
    for (size_t i = 0; i < count && association.is_established(); ++i) {
      cdcmtk_store_answer &answer = answers[i];
      const OFCondition sent = association.store(files[i], answer.status);
      answer.answered = sent.good();
      answer.not_accepted = sent == DIMSE_NOVALIDPRESENTATIONCONTEXTID;
      snprintf(answer.message, sizeof answer.message, "%s",
               sent.good() ? DU_cstoreStatusString(answer.status) : sent.text());
      if (answered) answered(context, i, &answer);
    }
    return int(CDCMTK_OK);
  });
}
