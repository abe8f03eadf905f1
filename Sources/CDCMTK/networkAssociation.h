// One association of the storage SCP; not visible from Swift.
#ifndef CDCMTK_NETWORK_ASSOCIATION_H
#define CDCMTK_NETWORK_ASSOCIATION_H

#include "dcmtk/config/osconfig.h"

#include "dcmtk/dcmnet/assoc.h"
#include "dcmtk/dcmnet/dimse.h"
#include "dcmtk/dcmnet/diutil.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "CDCMTKCommitment.h"
#include "CDCMTKNetwork.h"
#include "networkConnection.h"
#include "networkPeers.h"

/// What every association of one SCP shares.
struct AssociationSettings {
  static constexpr long maximum_pdu = ASC_MAXIMUMPDUSIZE;

  std::string folder;
  std::vector<std::string> sop_classes, transfer_syntaxes;
  cdcmtk_limits limits = {};
  cdcmtk_admission_handler admit = nullptr;
  cdcmtk_file_handler file = nullptr;
  cdcmtk_store_handler store = nullptr;
  cdcmtk_refusal_handler refusal = nullptr;
  cdcmtk_echo_handler echo = nullptr;
  cdcmtk_event_handler event = nullptr;
  cdcmtk_beat_handler beat = nullptr;
  /// Storage commitment is offered where they are set.
  cdcmtk_commitment_handlers commitment = {};
  void *context = nullptr;

  std::atomic<bool> stopping{false};

  void read(const cdcmtk_scp_options &options);
};

/// Who wants an association or has one.
struct AssociationIdentity {
  /// Unique among the associations of this process, of every listener and query.
  const uint64_t number;
  const double started_at;
  const std::string calling, called, address;

  AssociationIdentity(const std::string &calling, const std::string &called,
                      const std::string &address);
  cdcmtk_association in_c() const;
};

/// Since the machine was started, in seconds (CLOCK_BOOTTIME).
double seconds_now();

void report(AssociationSettings &settings, const AssociationIdentity &identity, int kind,
            const std::string &message, unsigned stored = 0, unsigned refused = 0);

/// Negotiates and serves an association to its end and destroys it.
void serve_association(AssociationSettings &settings, T_ASC_Association *association,
                       const AssociationIdentity &identity, PeerConnection &connection,
                       Peers::Peer &peer);

#endif
