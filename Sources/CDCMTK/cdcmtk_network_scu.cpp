#include "cdcmtk_file_support.h"

#include "CDCMTKNetwork.h"

#include "dcmtk/dcmnet/diutil.h"
#include "dcmtk/dcmnet/scu.h"

#include <csignal>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace {

void address(DcmSCU &scu, const cdcmtk_peer &peer) {
  signal(SIGPIPE, SIG_IGN);
  setenv("TCP_NODELAY", "1", 0);
  dcmDisableGethostbyaddr.set(OFTrue);
  scu.setAETitle(peer.calling_ae_title);
  scu.setPeerAETitle(peer.called_ae_title);
  scu.setPeerHostName(peer.host);
  scu.setPeerPort(peer.port);
  scu.setConnectionTimeout(Sint32(peer.timeout));
  scu.setACSETimeout(peer.timeout);
  scu.setDIMSETimeout(peer.timeout);
  scu.setDIMSEBlockingMode(DIMSE_NONBLOCKING);
  scu.setProgressNotificationMode(OFFalse);
}

OFCondition associate(DcmSCU &scu) {
  const OFCondition condition = scu.initNetwork();
  return condition.good() ? scu.negotiateAssociation() : condition;
}

}  // namespace

int cdcmtk_echo(const cdcmtk_peer *peer, cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    DcmSCU scu;
    address(scu, *peer);
    OFList<OFString> syntaxes;
    syntaxes.push_back(UID_LittleEndianExplicitTransferSyntax);
    syntaxes.push_back(UID_LittleEndianImplicitTransferSyntax);
    scu.addPresentationContext(UID_VerificationSOPClass, syntaxes);
    OFCondition condition = associate(scu);
    if (condition.good()) condition = scu.sendECHORequest(0);
    if (scu.isConnected()) scu.releaseAssociation();
    return cdcmtk_check(condition, CDCMTK_BAD_DATA, error);
  });
}

int cdcmtk_store(const cdcmtk_peer *peer, const cdcmtk_outgoing *files, size_t count,
                 cdcmtk_store_answer *answers, cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    DcmSCU scu;
    address(scu, *peer);
    // Uncompressed objects may be sent in either little endian syntax; compressed ones as they are.
    scu.setDatasetConversionMode(OFTrue);
    std::set<std::pair<std::string, std::string>> contexts;
    for (size_t i = 0; i < count; ++i) {
      contexts.insert({files[i].sop_class_uid, files[i].transfer_syntax_uid});
      if (!DcmXfer(files[i].transfer_syntax_uid).isEncapsulated()) {
        contexts.insert({files[i].sop_class_uid, UID_LittleEndianExplicitTransferSyntax});
        contexts.insert({files[i].sop_class_uid, UID_LittleEndianImplicitTransferSyntax});
      }
    }
    for (const auto &context : contexts) {
      OFList<OFString> syntax;
      syntax.push_back(context.second.c_str());
      const OFCondition condition = scu.addPresentationContext(context.first.c_str(), syntax);
      if (condition.bad()) return cdcmtk_fail(error, CDCMTK_BAD_DATA, condition.text());
    }
    const OFCondition condition = associate(scu);
    if (condition.bad()) return cdcmtk_fail(error, CDCMTK_BAD_DATA, condition.text());
    for (size_t i = 0; i < count; ++i) {
      cdcmtk_store_answer &answer = answers[i];
      Uint16 status = 0;
      const OFCondition sent = scu.sendSTORERequest(0, files[i].path, nullptr, status);
      answer.answered = sent.good();
      answer.status = status;
      snprintf(answer.message, sizeof answer.message, "%s",
               sent.good() ? DU_cstoreStatusString(status) : sent.text());
      if (!scu.isConnected()) break;
    }
    if (scu.isConnected()) scu.releaseAssociation();
    return int(CDCMTK_OK);
  });
}
