#include "cdcmtk_file_support.h"

#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace {

struct Free {
  void operator()(uint8_t *bytes) const { free(bytes); }
};

/// Ends a zlib stream however the function is left.
struct Inflating {
  z_stream stream = {};
  bool begun = false;
  ~Inflating() {
    if (begun) inflateEnd(&stream);
  }
};

}  // namespace

int cdcmtk_inflate(const uint8_t *deflated, size_t length, size_t limit, uint8_t **inflated,
                   size_t *count, cdcmtk_error *error) {
  return cdcmtk_guarded(error, [&] {
    // A negative window: a bare deflate stream (RFC 1951), as PS3.5 A.5 asks.
    Inflating inflating;
    z_stream &stream = inflating.stream;
    if (length > 0xFFFFFFFFu) return cdcmtk_fail(error, CDCMTK_OUT_OF_MEMORY, "too long");
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
      return cdcmtk_fail(error, CDCMTK_UNEXPECTED, "zlib cannot start");
    }
    inflating.begun = true;
    stream.next_in = const_cast<Bytef *>(deflated);
    stream.avail_in = uInt(length);
    std::unique_ptr<uint8_t, Free> buffer;
    size_t capacity = 0;
    size_t used = 0;
    int status = Z_OK;
    while (status != Z_STREAM_END) {
      if (used == capacity) {
        if (capacity == limit) {
          return cdcmtk_fail(error, CDCMTK_OUT_OF_MEMORY,
                             "the deflated dataset unfolds beyond what is read");
        }
        capacity = std::min(limit, capacity ? 2 * capacity : std::max<size_t>(1 << 16, length));
        uint8_t *grown = static_cast<uint8_t *>(realloc(buffer.get(), capacity));
        if (!grown) return cdcmtk_fail(error, CDCMTK_OUT_OF_MEMORY, "out of memory");
        (void)buffer.release();
        buffer.reset(grown);
      }
      stream.next_out = buffer.get() + used;
      stream.avail_out = uInt(std::min<size_t>(capacity - used, 1u << 30));
      const uInt room = stream.avail_out;
      status = inflate(&stream, Z_NO_FLUSH);
      used += room - stream.avail_out;
      if (status != Z_OK && status != Z_STREAM_END) {
        return cdcmtk_fail(error, CDCMTK_BAD_DATA, "the deflated dataset is damaged or cut off");
      }
    }
    // One byte may pad the stream to even length.
    if (stream.avail_in > 1) {
      return cdcmtk_fail(error, CDCMTK_BAD_DATA, "bytes follow the deflated dataset");
    }
    *count = used;
    *inflated = buffer.release();
    return int(CDCMTK_OK);
  });
}
