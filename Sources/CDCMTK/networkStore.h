// The C-STORE requests of one association, whoever opened it; not visible from Swift.
#ifndef CDCMTK_NETWORK_STORE_H
#define CDCMTK_NETWORK_STORE_H

#include "networkReception.h"

/// Receives what a peer sends and answers as the store handler decides (PS3.7 9.1.1).
class StoreProvider {
public:
  StoreProvider(AssociationSettings &settings, T_ASC_Association *association,
                PeerConnection &connection, const cdcmtk_association &identity)
      : settings_(settings), association_(association), connection_(connection),
        identity_(identity) {}

  OFCondition answer(const T_DIMSE_C_StoreRQ &request, T_ASC_PresentationContextID context,
                     const std::string &transfer_syntax);

  unsigned stored() const { return stored_; }
  unsigned refused() const { return refused_; }
  /// What was seen last before the receiving failed.
  Incoming last_seen() const { return last_seen_; }

private:
  void refuse(const ReceivedDataset &dataset, const T_DIMSE_C_StoreRQ &request,
              const std::string &transfer_syntax, int status, const std::string &reason);
  OFCondition respond(const T_DIMSE_C_StoreRQ &request, T_ASC_PresentationContextID context,
                      uint16_t status);

  AssociationSettings &settings_;
  T_ASC_Association *association_;
  PeerConnection &connection_;
  const cdcmtk_association &identity_;
  /// Of one object after the other.
  FileBuffer buffer_;
  Incoming last_seen_ = Incoming::data;
  unsigned stored_ = 0, refused_ = 0;
};

#endif
