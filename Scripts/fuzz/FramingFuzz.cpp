// Hands the reader of PDUs (PS3.8 9.3) the bytes of a connection, in pieces of changing sizes.
// Compiled together with Sources/CDCMTK/networkPDU.cpp by Scripts/fuzz.sh.
#include "networkPDU.h"

#include <algorithm>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  if (count > 0) first_pdu_fault(bytes[0]);
  PDUFraming framing(16384);
  size_t place = 0;
  while (place + 6 <= count) {
    bool is_unrecognized = false;
    const size_t length = pdu_length(bytes + place);
    if (framing.begin(bytes + place, is_unrecognized)) return 0;
    if (framing.rest() != length) abort();
    place += 6;
    size_t piece = 1 + place % 13;
    while (framing.rest() > 0 && place < count) {
      const size_t some = std::min({piece, framing.rest(), count - place});
      if (framing.take(bytes + place, some)) return 0;
      place += some;
      piece = 1 + piece * 7 % 61;
    }
    framing.begin_message();
  }
  return 0;
}
