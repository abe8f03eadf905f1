// Datasets of messages that are read into memory; not visible from Swift.
#ifndef CDCMTK_NETWORK_MESSAGE_H
#define CDCMTK_NETWORK_MESSAGE_H

#include "dcmtk/config/osconfig.h"

#include "dcmtk/dcmnet/assoc.h"
#include "dcmtk/dcmnet/dimse.h"

#include <vector>

#include "networkConnection.h"

/// Reads the dataset of a message as it is coded, within a time for all of it.
///
/// DIMSE_OUTOFRESOURCES where it is longer than admitted.
OFCondition read_dataset(T_ASC_Association *association, PeerConnection &connection,
                         T_ASC_PresentationContextID context, size_t maximum_size,
                         std::chrono::seconds time, std::vector<uint8_t> &bytes);

#endif
