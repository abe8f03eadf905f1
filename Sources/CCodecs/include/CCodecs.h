// Codecs behind plain C: inflate by zlib, JPEG 2000 by OpenJPEG. No exception leaves these
// functions: each returns a CCODECS_* code and, when it is not CCODECS_OK, fills `error`.
#ifndef CCODECS_H
#define CCODECS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  CCODECS_OK = 0,
  CCODECS_BAD_DATA = 1,
  CCODECS_OUT_OF_MEMORY = 2,
  /// The output would be larger than the caller allows.
  CCODECS_TOO_LARGE = 3,
  CCODECS_UNEXPECTED = 4,
} CCodecsCode;

typedef struct {
  char message[512];
} ccodecs_error;

/// To how many bytes a bare deflate stream (RFC 1951) unfolds, `limit` at most; nothing of them is
/// kept. A pad byte or gzip's trailer may follow the stream, and nothing else.
int ccodecs_inflated_size(const uint8_t *deflated, size_t length, size_t limit, size_t *size,
                          ccodecs_error *error);

/// Inflates a stream into exactly as many bytes as `ccodecs_inflated_size` said. Those from `skipped` to
/// `skipped_end` are not written; both are 0 where all are.
int ccodecs_inflate(const uint8_t *deflated, size_t length, uint8_t *inflated, size_t size,
                    size_t skipped, size_t skipped_end, ccodecs_error *error);

/// Inflates the beginning of a bare deflate stream, which may be damaged or cut off, into at most
/// `size` bytes; returns how many there are.
size_t ccodecs_inflate_beginning(const uint8_t *deflated, size_t length, uint8_t *inflated,
                                 size_t size);

/// Decodes one JPEG 2000 frame of one component (ITU-T T.800, T.814) into `rows` by `columns`
/// samples, which the image must have exactly. A warning of the decoder is an error here.
int ccodecs_decode_jpeg2000(
    const uint8_t *codestream, size_t length, uint32_t rows, uint32_t columns, int32_t *samples,
    uint32_t *precision, int *is_signed, ccodecs_error *error);

#ifdef __cplusplus
}
#endif
#endif
