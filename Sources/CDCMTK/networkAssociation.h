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

#include "CDCMTKNetwork.h"

/// What every association of one SCP shares.
struct AssociationSettings {
  static constexpr long maximum_pdu = ASC_MAXIMUMPDUSIZE;

  std::string ae_title, folder;
  std::vector<std::string> calling_ae_titles, sop_classes, transfer_syntaxes;
  unsigned maximum_associations = 1;
  unsigned idle_timeout = 60;
  cdcmtk_store_handler store = nullptr;
  cdcmtk_refusal_handler refusal = nullptr;
  cdcmtk_echo_handler echo = nullptr;
  cdcmtk_event_handler event = nullptr;
  void *context = nullptr;

  std::atomic<bool> stopping{false};
  /// Stopping has taken too long: also a dataset on its way is given up.
  std::atomic<bool> out_of_time{false};
  std::atomic<unsigned> open_associations{0};
  std::atomic<unsigned long> files{0};
  std::atomic<uint64_t> associations{0};

  void read(const cdcmtk_scp_options &options);
};

/// Seconds since 1970.
double seconds_now();

/// Tells of a connection that never became an association.
void report_no_association(AssociationSettings &settings, const std::string &peer,
                           const std::string &message);

/// Negotiates and serves an association to its end and destroys it.
void serve_association(AssociationSettings &settings, T_ASC_Association *association, int socket,
                       const std::string &peer);

#endif
