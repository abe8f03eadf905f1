#include "networkPDU.h"

#include <algorithm>
#include <cstring>

namespace {

// PS3.7 9 and 10: the longest command sets take a few hundred bytes.
constexpr size_t maximum_command = 16 * 1024;
// An A-RELEASE-RQ and an A-ABORT have 4 bytes (PS3.8 9.3.6, 9.3.8).
constexpr size_t maximum_control = 1024;

}  // namespace

const char *first_pdu_fault(uint8_t type) {
  switch (type) {
    case PDU_ASSOCIATE_RQ: return nullptr;
    // GET, HEAD, OPTIONS, POST and PUT.
    case 'G': case 'H': case 'O': case 'P': return "the peer speaks HTTP, not DICOM";
    case 0x16: return "the peer speaks TLS on a port without it";
    default:
      return type > PDU_ASSOCIATE_RQ && type <= PDU_ABORT
                 ? "a PDU came before an association was requested"
                 : "the peer does not speak DICOM";
  }
}

const char *PDUFraming::begin(const uint8_t *header, bool &is_unrecognized) {
  type_ = header[0];
  rest_ = pdu_length(header);
  pdv_header_count_ = pdv_rest_ = 0;
  is_unrecognized = type_ < PDU_ASSOCIATE_RQ || type_ > PDU_ABORT;
  if (is_unrecognized) return "a PDU of unknown type came";
  if (type_ < PDU_DATA) return "a PDU of association establishment came over an association";
  if (type_ == PDU_DATA && rest_ > maximum_pdu_) return "a P-DATA PDU is longer than agreed";
  if (type_ == PDU_DATA && rest_ < sizeof pdv_header_) return "a P-DATA PDU has no data";
  if (type_ != PDU_DATA && rest_ > maximum_control) return "a PDU is longer than its type admits";
  return nullptr;
}

const char *PDUFraming::take(const uint8_t *bytes, size_t count) {
  rest_ -= std::min(rest_, count);
  if (type_ != PDU_DATA) return nullptr;
  size_t before = rest_ + count;
  while (count > 0) {
    if (pdv_rest_ > 0) {
      const size_t part = std::min(pdv_rest_, count);
      pdv_rest_ -= part;
      if ((pdv_header_[5] & 1) && (command_length_ += part) > maximum_command) {
        return "a command set is longer than any service has";
      }
      bytes += part, count -= part, before -= part;
      continue;
    }
    pdv_header_[pdv_header_count_++] = *bytes++;
    count -= 1, before -= 1;
    if (pdv_header_count_ < sizeof pdv_header_) continue;
    pdv_header_count_ = 0;
    if (const char *fault = take_pdv_header()) return fault;
    if (pdv_rest_ > before) return "a PDV is longer than its PDU";
  }
  return rest_ == 0 && pdv_header_count_ > 0 ? "a P-DATA PDU ends within a PDV" : nullptr;
}

const char *PDUFraming::take_pdv_header() {
  const size_t length = size_t(pdv_header_[0]) << 24 | size_t(pdv_header_[1]) << 16 |
                        size_t(pdv_header_[2]) << 8 | size_t(pdv_header_[3]);
  // Presentation context and message control header count to it.
  if (length < 2) return "a PDV has no data";
  pdv_rest_ = length - 2;
  // Bit 0: of a command set; bit 1: its last fragment (PS3.8 E.2).
  if (pdv_header_[5] & 1) is_within_command_ = !(pdv_header_[5] & 2);
  return nullptr;
}
