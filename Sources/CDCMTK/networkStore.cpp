#include "support.h"

#include "networkStore.h"

OFCondition StoreProvider::answer(const T_DIMSE_C_StoreRQ &request,
                                  T_ASC_PresentationContextID context,
                                  const std::string &transfer_syntax) {
  ReceivedDataset dataset(settings_, association_, request, context, transfer_syntax, connection_,
                          buffer_);
  const OFCondition condition = dataset.receive();
  if (condition.bad()) {
    last_seen_ = dataset.last_seen();
    refused_ += 1;
    const bool is_over = connection_.end() == ConnectionEnd::violated ||
                         connection_.end() == ConnectionEnd::timed_out;
    refuse(dataset, request, transfer_syntax, -1,
           "the association ended before the dataset did" +
               (is_over ? ": " + connection_.failure() : std::string()));
    return condition;
  }
  uint16_t status = dataset.status();
  if (status == STATUS_Success) {
    const cdcmtk_received object = {&identity_,
                                    dataset.path().c_str(),
                                    dataset.descriptor(),
                                    request.AffectedSOPClassUID,
                                    request.AffectedSOPInstanceUID,
                                    transfer_syntax.c_str(),
                                    dataset.began_at(),
                                    dataset.hash(),
                                    dataset.offset(),
                                    dataset.contents(),
                                    dataset.contents() ? buffer_.count() : 0};
    status = settings_.store(settings_.context, &object);
    dataset.hand_over();
  } else {
    refuse(dataset, request, transfer_syntax, status, dataset.reason());
  }
  (status == STATUS_Success ? stored_ : refused_) += 1;
  return respond(request, context, status);
}

void StoreProvider::refuse(const ReceivedDataset &dataset, const T_DIMSE_C_StoreRQ &request,
                           const std::string &transfer_syntax, int status,
                           const std::string &reason) {
  const std::vector<uint8_t> beginning = dataset.beginning();
  const cdcmtk_refused object = {&identity_,
                                 request.AffectedSOPClassUID,
                                 request.AffectedSOPInstanceUID,
                                 transfer_syntax.c_str(),
                                 dataset.began_at(),
                                 beginning.data(),
                                 beginning.size(),
                                 status,
                                 reason.c_str()};
  settings_.refusal(settings_.context, &object);
}

OFCondition StoreProvider::respond(const T_DIMSE_C_StoreRQ &request,
                                   T_ASC_PresentationContextID context, uint16_t status) {
  T_DIMSE_C_StoreRSP response;
  memset(&response, 0, sizeof response);
  response.MessageIDBeingRespondedTo = request.MessageID;
  response.DimseStatus = status;
  response.DataSetType = DIMSE_DATASET_NULL;
  OFStandard::strlcpy(response.AffectedSOPClassUID, request.AffectedSOPClassUID,
                      sizeof response.AffectedSOPClassUID);
  OFStandard::strlcpy(response.AffectedSOPInstanceUID, request.AffectedSOPInstanceUID,
                      sizeof response.AffectedSOPInstanceUID);
  response.opts = O_STORE_AFFECTEDSOPCLASSUID | O_STORE_AFFECTEDSOPINSTANCEUID;
  // DCMTK writes head and body of a PDU apart; corked they leave in one packet.
  CorkedSocket corked(connection_.socket());
  return DIMSE_sendStoreResponse(association_, context, &request, &response, nullptr);
}
