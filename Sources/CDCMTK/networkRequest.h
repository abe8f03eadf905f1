// Association requests as they come, before DCMTK reads them; not visible from Swift.
#ifndef CDCMTK_NETWORK_REQUEST_H
#define CDCMTK_NETWORK_REQUEST_H

#include "networkAssociation.h"

/// Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 9.3.4).
struct Rejection {
  uint8_t result, source, reason;
};

/// Reports a rejection and answers with it; always false.
bool reject(AssociationSettings &settings, const AssociationIdentity &identity,
            PeerConnection &connection, const Rejection &rejection, const std::string &message);

/// Who asks (PS3.8 9.3.2): the AE titles without the spaces around them, which are not significant
/// (PS3.5 6.2).
AssociationIdentity identify(const std::string &request, const std::string &address);

/// Whether a peer may have an association now; answers and reports where it may not.
bool admit(AssociationSettings &settings, const std::string &request,
           const AssociationIdentity &identity, PeerConnection &connection, Peers::Peer &peer);

/// Answers and reports a connection over which no association request came.
void refuse_connection(AssociationSettings &settings, PeerConnection &connection,
                       const std::string &address);

#endif
