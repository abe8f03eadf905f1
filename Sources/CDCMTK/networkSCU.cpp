#include "support.h"

#include "CDCMTKNetwork.h"

#include "dcmtk/dcmnet/assoc.h"
#include "dcmtk/dcmnet/dimse.h"
#include "dcmtk/dcmnet/diutil.h"

#include <csignal>
#include <set>
#include <string>
#include <utility>

namespace {

/// SOP class and transfer syntax.
using Contexts = std::set<std::pair<std::string, std::string>>;

std::string rejection(T_ASC_Parameters *parameters) {
  T_ASC_RejectParameters reason;
  ASC_getRejectParameters(parameters, &reason);
  OFString lines;
  ASC_printRejectParameters(lines, &reason);
  std::string text = "rejected: ";
  for (const char c : lines) text += c == '\n' ? std::string(", ") : std::string(1, c);
  return text;
}

/// An association that we request. Written on ASC rather than DcmSCU, which keeps the reason of a
/// rejection to itself.
class RequestedAssociation {
public:
  explicit RequestedAssociation(const cdcmtk_peer &peer) : peer_(peer) {
    signal(SIGPIPE, SIG_IGN);
    setenv("TCP_NODELAY", "1", 0);
    dcmDisableGethostbyaddr.set(OFTrue);
    dcmConnectionTimeout.set(Sint32(peer.timeout));
  }

  ~RequestedAssociation() {
    if (association_) {
      if (established_) ASC_releaseAssociation(association_);
      ASC_destroyAssociation(&association_);
    } else if (parameters_) {
      ASC_destroyAssociationParameters(&parameters_);
    }
    if (network_) ASC_dropNetwork(&network_);
  }

  int request(const Contexts &contexts, cdcmtk_error *error) {
    OFCondition condition = prepare(contexts);
    if (condition.bad()) return cdcmtk_fail(error, CDCMTK_UNEXPECTED, condition.text());
    condition = ASC_requestAssociation(network_, parameters_, &association_, nullptr, nullptr,
                                       DUL_NOBLOCK, timeout());
    if (condition == DUL_ASSOCIATIONREJECTED) {
      return cdcmtk_fail(error, CDCMTK_BAD_DATA, rejection(parameters_).c_str());
    }
    if (condition.bad()) return cdcmtk_fail(error, CDCMTK_BAD_DATA, condition.text());
    established_ = true;
    if (ASC_countAcceptedPresentationContexts(parameters_) == 0) {
      return cdcmtk_fail(error, CDCMTK_BAD_DATA, "the peer accepts none of the SOP classes");
    }
    return CDCMTK_OK;
  }

  OFCondition echo(uint16_t &status) {
    DcmDataset *detail = nullptr;
    const OFCondition condition = DIMSE_echoUser(association_, association_->nextMsgID++,
                                                 DIMSE_NONBLOCKING, timeout(), &status, &detail);
    delete detail;
    return keep(condition);
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
    condition = DIMSE_storeUser(association_, context.presentationContextID, &request, nullptr,
                                dataset, nullptr, nullptr, DIMSE_NONBLOCKING, timeout(),
                                &response, &detail);
    delete detail;
    status = response.DimseStatus;
    return keep(condition);
  }

  bool is_established() const { return established_; }

private:
  int timeout() const { return int(peer_.timeout); }

  OFCondition prepare(const Contexts &contexts) {
    OFCondition condition = ASC_initializeNetwork(NET_REQUESTOR, 0, timeout(), &network_);
    if (condition.good()) {
      condition = ASC_createAssociationParameters(&parameters_, ASC_DEFAULTMAXPDU);
    }
    if (condition.bad()) return condition;
    ASC_setAPTitles(parameters_, peer_.calling_ae_title, peer_.called_ae_title, nullptr);
    ASC_setTransportLayerType(parameters_, OFFalse);
    const std::string address = std::string(peer_.host) + ":" + std::to_string(peer_.port);
    ASC_setPresentationAddresses(parameters_, "localhost", address.c_str());
    unsigned id = 1;
    for (const auto &context : contexts) {
      const char *syntax = context.second.c_str();
      condition = ASC_addPresentationContext(parameters_, T_ASC_PresentationContextID(id),
                                             context.first.c_str(), &syntax, 1);
      if (condition.bad()) return condition;
      id += 2;
    }
    return condition;
  }

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

  /// After any failure of the network the association is of no use any more.
  OFCondition keep(const OFCondition &condition) {
    if (condition.bad() && established_) {
      established_ = false;
      ASC_abortAssociation(association_);
    }
    return condition;
  }

  const cdcmtk_peer &peer_;
  T_ASC_Network *network_ = nullptr;
  T_ASC_Parameters *parameters_ = nullptr;
  T_ASC_Association *association_ = nullptr;
  bool established_ = false;
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

int cdcmtk_echo(const cdcmtk_peer *peer, cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    RequestedAssociation association(*peer);
    const int code = association.request(
        {{UID_VerificationSOPClass, UID_LittleEndianImplicitTransferSyntax}}, error);
    if (code != CDCMTK_OK) return code;
    uint16_t status = 0;
    const OFCondition condition = association.echo(status);
    if (condition.good() && status != STATUS_Success) {
      return cdcmtk_fail(error, CDCMTK_BAD_DATA, "the peer answered C-ECHO with an error status");
    }
    return cdcmtk_check(condition, CDCMTK_BAD_DATA, error);
  });
}

int cdcmtk_store(const cdcmtk_peer *peer, const cdcmtk_outgoing *files, size_t count,
                 cdcmtk_store_answer *answers, cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    const Contexts contexts = contexts_for(files, count);
    // Identifiers are the odd numbers of a byte (PS3.8 9.3.2.2).
    if (contexts.size() > 128) {
      return cdcmtk_fail(error, CDCMTK_BAD_DATA, "too many kinds of objects for one association");
    }
    RequestedAssociation association(*peer);
    const int code = association.request(contexts, error);
    if (code != CDCMTK_OK) return code;
    for (size_t i = 0; i < count && association.is_established(); ++i) {
      cdcmtk_store_answer &answer = answers[i];
      const OFCondition sent = association.store(files[i], answer.status);
      answer.answered = sent.good();
      snprintf(answer.message, sizeof answer.message, "%s",
               sent.good() ? DU_cstoreStatusString(answer.status) : sent.text());
    }
    return int(CDCMTK_OK);
  });
}
