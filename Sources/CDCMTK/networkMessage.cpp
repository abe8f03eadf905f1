#include "support.h"

#include "networkMessage.h"

#include <algorithm>

namespace {

OFCondition next_pdv(T_ASC_Association *association, PeerConnection &connection,
                     Clock::time_point deadline, DUL_PDV &pdv) {
  OFCondition condition = DUL_NextPDV(&association->DULassociation, &pdv);
  if (condition.good()) return condition;
  while (connection.incoming(100) == Incoming::nothing) {
    if (Clock::now() >= deadline) return DIMSE_NODATAAVAILABLE;
  }
  condition = DUL_ReadPDVs(&association->DULassociation, nullptr, DUL_NOBLOCK, 1);
  if (condition != DUL_PDATAPDUARRIVED) {
    return condition.good() ? OFCondition(DIMSE_READPDVFAILED) : condition;
  }
  return DUL_NextPDV(&association->DULassociation, &pdv);
}

}  // namespace

OFCondition read_dataset(T_ASC_Association *association, PeerConnection &connection,
                         T_ASC_PresentationContextID context, size_t maximum_size,
                         std::chrono::seconds time, std::vector<uint8_t> &bytes) {
  const auto deadline = Clock::now() + time;
  DUL_PDV pdv;
  do {
    const OFCondition condition = next_pdv(association, connection, deadline, pdv);
    if (condition.bad()) return condition;
    if (pdv.pdvType != DUL_DATASETPDV || pdv.presentationContextID != context) {
      return DIMSE_UNEXPECTEDPDVTYPE;
    }
    if (pdv.fragmentLength > maximum_size - std::min(bytes.size(), maximum_size)) {
      return DIMSE_OUTOFRESOURCES;
    }
    const auto *data = static_cast<const uint8_t *>(pdv.data);
    bytes.insert(bytes.end(), data, data + pdv.fragmentLength);
    if (Clock::now() >= deadline) return DIMSE_NODATAAVAILABLE;
  } while (!pdv.lastPDV);
  return EC_Normal;
}
