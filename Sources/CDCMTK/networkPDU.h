// The form of PDUs (PS3.8 9.3); not visible from Swift.
#ifndef CDCMTK_NETWORK_PDU_H
#define CDCMTK_NETWORK_PDU_H

#include <cstddef>
#include <cstdint>

/// The types of PDUs (PS3.8 9.3.1).
enum PDUType : uint8_t {
  PDU_ASSOCIATE_RQ = 1,
  PDU_ASSOCIATE_AC = 2,
  PDU_ASSOCIATE_RJ = 3,
  PDU_DATA = 4,
  PDU_RELEASE_RQ = 5,
  PDU_RELEASE_RP = 6,
  PDU_ABORT = 7,
};

/// The length of a PDU behind its header.
inline size_t pdu_length(const uint8_t *header) {
  return size_t(header[2]) << 24 | size_t(header[3]) << 16 | size_t(header[4]) << 8 |
         size_t(header[5]);
}

/// What is wrong with the first byte of a connection, in words; null for an A-ASSOCIATE-RQ.
const char *first_pdu_fault(uint8_t type);

/// Follows the PDUs of an established association, and the PDVs of each P-DATA-TF (PS3.8 9.3.5).
///
/// DCMTK 3.6.7 collects a command set of any size and parses it by recursion, so that its size is
/// bounded here.
class PDUFraming {
public:
  explicit PDUFraming(size_t maximum_pdu) : maximum_pdu_(maximum_pdu) {}

  /// Takes the header of a PDU. Null where the PDU may come, else why not, in words;
  /// `is_unrecognized` says whether nothing of its type is known.
  const char *begin(const uint8_t *header, bool &is_unrecognized);
  /// Takes bytes of its body. Null, or what is wrong with them.
  const char *take(const uint8_t *bytes, size_t count);

  /// How much of the body is still to come.
  size_t rest() const { return rest_; }
  void begin_message() { command_length_ = 0; }
  /// Whether a command set has begun, and its last fragment has not.
  bool is_within_command() const { return is_within_command_; }

private:
  const char *take_pdv_header();

  const size_t maximum_pdu_;
  uint8_t type_ = 0;
  size_t rest_ = 0;
  /// Length, presentation context and message control header of a PDV, as far as they came.
  uint8_t pdv_header_[6];
  size_t pdv_header_count_ = 0;
  size_t pdv_rest_ = 0;
  size_t command_length_ = 0;
  bool is_within_command_ = false;
};

#endif
