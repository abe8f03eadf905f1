#include "support.h"

#include "networkContexts.h"

#include "dcmtk/dcmdata/dcuid.h"
#include "dcmtk/dcmnet/lst.h"

#include <algorithm>

namespace {

/// UIDs that are named in a line of the log at most.
constexpr size_t named = 6;

/// A UID with the keyword of the dictionary, without anything that does not belong into a UID.
std::string described(const char *uid) {
  std::string text;
  for (const char *c = uid; *c; ++c) text += isalnum(static_cast<unsigned char>(*c)) || *c == '.' ? *c : '?';
  const char *keyword = dcmFindNameOfUID(uid);
  return keyword ? std::string(keyword) + " (" + text + ")" : text;
}

/// Who reports on storage commitment that we asked for is the SCP although it calls us
/// (PS3.7 D.3.3.4); of every other class the caller is the SCU.
T_ASC_SC_ROLE role_for(const T_ASC_PresentationContext &context) {
  const bool is_commitment =
      strcmp(context.abstractSyntax, UID_StorageCommitmentPushModelSOPClass) == 0;
  return is_commitment ? context.proposedRole : ASC_SC_ROLE_DEFAULT;
}

const std::vector<std::string> *syntaxes_for(const char *sop_class,
                                             const AssociationSettings &settings) {
  static const std::vector<std::string> uncompressed = {UID_LittleEndianExplicitTransferSyntax,
                                                        UID_LittleEndianImplicitTransferSyntax,
                                                        UID_BigEndianExplicitTransferSyntax};
  if (strcmp(sop_class, UID_VerificationSOPClass) == 0) return &uncompressed;
  if (strcmp(sop_class, UID_StorageCommitmentPushModelSOPClass) == 0) {
    return settings.commitment.request ? &uncompressed : nullptr;
  }
  const auto &classes = settings.sop_classes;
  const bool is_taken = std::find(classes.begin(), classes.end(), sop_class) != classes.end();
  return is_taken ? &settings.transfer_syntaxes : nullptr;
}

}  // namespace

void name_implementation(T_ASC_Parameters &parameters) {
  DUL_ASSOCIATESERVICEPARAMETERS &service = parameters.DULparams;
  for (char *uid : {parameters.ourImplementationClassUID, service.callingImplementationClassUID,
                    service.calledImplementationClassUID}) {
    OFStandard::strlcpy(uid, implementation_class_uid, DICOM_UI_LENGTH + 1);
  }
  for (char *name :
       {parameters.ourImplementationVersionName, service.callingImplementationVersionName,
        service.calledImplementationVersionName}) {
    OFStandard::strlcpy(name, implementation_version_name, 16 + 1);
  }
}

void AcceptedContexts::negotiate(T_ASC_Parameters *parameters,
                                 const AssociationSettings &settings) {
  const int count = ASC_countPresentationContexts(parameters);
  for (int i = 0; i < count; ++i) {
    T_ASC_PresentationContext context;
    if (ASC_getPresentationContext(parameters, i, &context).bad()) continue;
    const auto *taken = syntaxes_for(context.abstractSyntax, settings);
    const char *accepted = nullptr;
    for (int k = 0; taken && !accepted && k < int(context.transferSyntaxCount); ++k) {
      const char *proposed = context.proposedTransferSyntaxes[k];
      if (std::find(taken->begin(), taken->end(), proposed) != taken->end()) accepted = proposed;
    }
    if (accepted) {
      ASC_acceptPresentationContext(parameters, context.presentationContextID, accepted,
                                    role_for(context));
      continue;
    }
    refused_.push_back(
        taken ? described(context.abstractSyntax) + " in " +
                    (context.transferSyntaxCount > 0
                         ? described(context.proposedTransferSyntaxes[0])
                         : std::string("no transfer syntax"))
              : described(context.abstractSyntax));
    ASC_refusePresentationContext(parameters, context.presentationContextID,
                                  taken ? ASC_P_TRANSFERSYNTAXESNOTSUPPORTED
                                        : ASC_P_ABSTRACTSYNTAXNOTSUPPORTED);
  }
}

std::string AcceptedContexts::refused() const {
  std::vector<std::string> kinds = refused_;
  kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
  std::string text;
  for (size_t i = 0; i < kinds.size() && i < named; ++i) text += (i ? ", " : "") + kinds[i];
  if (kinds.size() > named) text += " and " + std::to_string(kinds.size() - named) + " more";
  return text;
}

void AcceptedContexts::hide_unknown_syntaxes(T_ASC_Parameters *parameters) {
  // DCMTK looks into either list.
  DUL_ASSOCIATESERVICEPARAMETERS &service = parameters->DULparams;
  for (LST_HEAD **list :
       {&service.requestedPresentationContext, &service.acceptedPresentationContext}) {
    if (!*list) continue;
    auto *context = static_cast<DUL_PRESENTATIONCONTEXT *>(LST_Head(list));
    (void)LST_Position(list, context);
    for (; context; context = static_cast<DUL_PRESENTATIONCONTEXT *>(LST_Next(list))) {
      hide_unknown_syntax(*context);
    }
  }
}

void AcceptedContexts::hide_unknown_syntax(DUL_PRESENTATIONCONTEXT &context) {
  if (!context.acceptedTransferSyntax[0]) return;
  if (DcmXfer(context.acceptedTransferSyntax).getXfer() != EXS_Unknown) return;
  hidden_[context.presentationContextID] = context.acceptedTransferSyntax;
  OFStandard::strlcpy(context.acceptedTransferSyntax, UID_JPEG2000LosslessOnlyTransferSyntax,
                      sizeof context.acceptedTransferSyntax);
}

std::string AcceptedContexts::transfer_syntax(T_ASC_Parameters *parameters,
                                              T_ASC_PresentationContextID id) const {
  const auto hidden = hidden_.find(id);
  if (hidden != hidden_.end()) return hidden->second;
  T_ASC_PresentationContext accepted;
  const bool known = ASC_findAcceptedPresentationContext(parameters, id, &accepted).good();
  return known ? accepted.acceptedTransferSyntax : "";
}
