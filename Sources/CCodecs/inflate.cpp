#include "support.h"

#include <zlib.h>

#include <algorithm>
#include <vector>

namespace {

/// So much is inflated at a time.
constexpr size_t window_size = 1 << 18;

/// Ends a zlib stream however the function is left.
struct Inflating {
  z_stream stream = {};
  bool begun = false;
  ~Inflating() {
    if (begun) inflateEnd(&stream);
  }
};

/// Whether checksum and length of what was inflated follow, as in gzip (RFC 1952).
bool is_trailer(const uint8_t *trailer, uLong checksum, size_t count) {
  uint32_t words[2] = {0, 0};
  for (int i = 0; i < 8; ++i) words[i / 4] |= uint32_t(trailer[i]) << (8 * (i % 4));
  return words[0] == uint32_t(checksum) && words[1] == uint32_t(count);
}

}  // namespace

int ccodecs_inflated_size(const uint8_t *deflated, size_t length, size_t limit, size_t *size,
                          ccodecs_error *error) {
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
    std::vector<uint8_t> window(window_size);
    uLong checksum = crc32(0, Z_NULL, 0);
    size_t count = 0;
    int status = Z_OK;
    while (status != Z_STREAM_END) {
      stream.next_out = window.data();
      stream.avail_out = uInt(window.size());
      status = inflate(&stream, Z_NO_FLUSH);
      const size_t part = window.size() - stream.avail_out;
      if (status != Z_OK && status != Z_STREAM_END) {
        return ccodecs_fail(error, CCODECS_BAD_DATA, "the deflated dataset is damaged or cut off");
      }
      count += part;
      if (count > limit) {
        return ccodecs_fail(error, CCODECS_TOO_LARGE,
                            "the deflated dataset unfolds beyond what is read");
      }
      checksum = crc32(checksum, window.data(), uInt(part));
    }
    // One byte may pad the stream to even length; some writers leave gzip's trailer behind it.
    const size_t rest = stream.avail_in;
    const bool has_trailer = rest >= 8 && rest <= 9 && is_trailer(stream.next_in, checksum, count);
    if (rest > 1 && !has_trailer) {
      return ccodecs_fail(error, CCODECS_BAD_DATA, "bytes follow the deflated dataset");
    }
    *size = count;
    return int(CCODECS_OK);
  });
}

int ccodecs_inflate(const uint8_t *deflated, size_t length, uint8_t *inflated, size_t size,
                    size_t skipped, size_t skipped_end, ccodecs_error *error) {
  return ccodecs_guarded(error, [&] {
    const auto damaged = [&] {
      return ccodecs_fail(error, CCODECS_BAD_DATA, "the deflated dataset is damaged or cut off");
    };
    if (length > 0xFFFFFFFFu || skipped > skipped_end || skipped_end > size) return damaged();
    Inflating inflating;
    z_stream &stream = inflating.stream;
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
      return ccodecs_fail(error, CCODECS_UNEXPECTED, "zlib cannot start");
    }
    inflating.begun = true;
    stream.next_in = const_cast<Bytef *>(deflated);
    stream.avail_in = uInt(length);
    std::vector<uint8_t> window(skipped < skipped_end ? window_size : 0);
    size_t count = 0;
    while (count < size) {
      const bool is_skipped = count >= skipped && count < skipped_end;
      const size_t part_end = is_skipped ? skipped_end : count < skipped ? skipped : size;
      const size_t room = std::min(part_end - count, window_size);
      stream.next_out = is_skipped ? window.data() : inflated + count;
      stream.avail_out = uInt(room);
      const int status = inflate(&stream, Z_NO_FLUSH);
      count += room - stream.avail_out;
      if (status == Z_STREAM_END) break;
      if (status != Z_OK) return damaged();
    }
    return count == size ? int(CCODECS_OK) : damaged();
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
