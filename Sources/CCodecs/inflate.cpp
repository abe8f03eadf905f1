#include "support.h"

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

/// Whether checksum and length of what was inflated follow, as in gzip (RFC 1952).
bool is_trailer(const uint8_t *trailer, const uint8_t *inflated, size_t count) {
  uint32_t words[2] = {0, 0};
  for (int i = 0; i < 8; ++i) words[i / 4] |= uint32_t(trailer[i]) << (8 * (i % 4));
  uLong checksum = crc32(0, Z_NULL, 0);
  for (size_t done = 0; done < count;) {
    const uInt part = uInt(std::min<size_t>(count - done, 1u << 30));
    checksum = crc32(checksum, inflated + done, part);
    done += part;
  }
  return words[0] == uint32_t(checksum) && words[1] == uint32_t(count);
}

}  // namespace

int ccodecs_inflate(const uint8_t *deflated, size_t length, size_t limit, uint8_t **inflated,
                    size_t *count, ccodecs_error *error) {
  return ccodecs_guarded(error, [&] {
    // A negative window: a bare deflate stream (RFC 1951), as PS3.5 A.5 asks.
    Inflating inflating;
    z_stream &stream = inflating.stream;
    if (length > 0xFFFFFFFFu) {
      return ccodecs_fail(error, CCODECS_TOO_LARGE, "the deflated dataset is too long");
    }
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
      return ccodecs_fail(error, CCODECS_UNEXPECTED, "zlib cannot start");
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
          return ccodecs_fail(error, CCODECS_TOO_LARGE,
                              "the deflated dataset unfolds beyond what is read");
        }
        capacity = std::min(limit, capacity ? 2 * capacity : std::max<size_t>(1 << 16, length));
        uint8_t *grown = static_cast<uint8_t *>(realloc(buffer.get(), capacity));
        if (!grown) return ccodecs_fail(error, CCODECS_OUT_OF_MEMORY, "out of memory");
        (void)buffer.release();
        buffer.reset(grown);
      }
      stream.next_out = buffer.get() + used;
      stream.avail_out = uInt(std::min<size_t>(capacity - used, 1u << 30));
      const uInt room = stream.avail_out;
      status = inflate(&stream, Z_NO_FLUSH);
      used += room - stream.avail_out;
      if (status != Z_OK && status != Z_STREAM_END) {
        return ccodecs_fail(error, CCODECS_BAD_DATA, "the deflated dataset is damaged or cut off");
      }
    }
    // One byte may pad the stream to even length; some writers leave gzip's trailer behind it.
    const size_t rest = stream.avail_in;
    const bool has_trailer =
        rest >= 8 && rest <= 9 && is_trailer(stream.next_in, buffer.get(), used);
    if (rest > 1 && !has_trailer) {
      return ccodecs_fail(error, CCODECS_BAD_DATA, "bytes follow the deflated dataset");
    }
    *count = used;
    *inflated = buffer.release();
    return int(CCODECS_OK);
  });
}

size_t ccodecs_inflate_beginning(const uint8_t *deflated, size_t length, uint8_t *inflated,
                                 size_t size) {
  size_t count = 0;
  ccodecs_guarded(nullptr, [&] {
    Inflating inflating;
    z_stream &stream = inflating.stream;
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return int(CCODECS_UNEXPECTED);
    inflating.begun = true;
    stream.next_in = const_cast<Bytef *>(deflated);
    stream.avail_in = uInt(std::min<size_t>(length, 1u << 30));
    stream.next_out = inflated;
    stream.avail_out = uInt(std::min<size_t>(size, 1u << 30));
    const uInt room = stream.avail_out;
    // Whatever it says: what was inflated before is good.
    (void)inflate(&stream, Z_SYNC_FLUSH);
    count = room - stream.avail_out;
    return int(CCODECS_OK);
  });
  return count;
}
