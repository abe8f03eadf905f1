// Files, datasets and JPEG decoding by DCMTK behind plain C. No exception leaves these
// functions: each returns a CDCMTK_* code and, when it is not CDCMTK_OK, fills `error`.
#ifndef CDCMTK_FILE_H
#define CDCMTK_FILE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  CDCMTK_OK = 0,
  CDCMTK_NO_DICTIONARY = 1,
  CDCMTK_BAD_DATA = 2,
  CDCMTK_OUT_OF_MEMORY = 3,
  CDCMTK_CANNOT_WRITE = 4,
  CDCMTK_UNEXPECTED = 5,
  /// The peer refuses, and will do so again.
  CDCMTK_REJECTED = 6,
  /// The peer accepts none of the SOP classes that were proposed.
  CDCMTK_NO_CONTEXT = 7,
} CDCMTKCode;

typedef struct {
  char message[512];
} cdcmtk_error;

enum { CDCMTK_LOG_DEBUG = 0, CDCMTK_LOG_WARNING = 1, CDCMTK_LOG_ERROR = 2 };

/// Called on any thread with each message of DCMTK at warning level or above.
typedef void (*cdcmtk_log_handler)(int level, const char *logger, const char *message)
    __attribute__((swift_attr("@Sendable")));

/// Prepares the process: log routed to `handler` (may be NULL), data dictionary checked, decoders
/// registered. Must return CDCMTK_OK once before any other function here is called.
int cdcmtk_initialize(cdcmtk_log_handler handler, cdcmtk_error *error);

/// Writes the name of a tag in the data dictionary, at most `size` bytes with the final zero.
void cdcmtk_tag_name(uint32_t tag, char *name, size_t size);

/// Writes the keyword of a UID in DCMTK's list, at most `size` bytes with the final zero; nothing
/// where it is not there.
void cdcmtk_uid_name(const char *uid, char *name, size_t size);

/// Receives the elements of a dataset in file order. Tags are group << 16 | element; `vr` is two
/// letters; memory is valid during the call only.
typedef struct {
  void *context;
  void (*text)(void *context, uint32_t tag, const char *vr, const char *bytes, size_t count);
  void (*integers)(void *context, uint32_t tag, const char *vr, const int64_t *values, size_t count);
  void (*reals)(void *context, uint32_t tag, const char *vr, const double *values, size_t count);
  void (*bytes)(void *context, uint32_t tag, const char *vr, const uint8_t *bytes, size_t count);
  void (*begin_sequence)(void *context, uint32_t tag);
  void (*begin_item)(void *context);
  void (*end_item)(void *context);
  void (*end_sequence)(void *context);
} cdcmtk_visitor;

/// Parses elements in memory, coded in a transfer syntax that DCMTK knows, and visits them. The
/// caller has checked nesting depth and lengths.
int cdcmtk_parse_dataset(const uint8_t *bytes, size_t count, const char *transfer_syntax,
                         const cdcmtk_visitor *visitor, cdcmtk_error *error);

/// A dataset being built. Items belong to it and live as long as it does.
typedef struct cdcmtk_builder cdcmtk_builder;
typedef struct cdcmtk_item cdcmtk_item;

cdcmtk_builder *cdcmtk_builder_create(void);
void cdcmtk_builder_free(cdcmtk_builder *builder);
cdcmtk_item *cdcmtk_builder_dataset(cdcmtk_builder *builder);

int cdcmtk_put_text(cdcmtk_item *item, uint32_t tag, const char *vr, const char *bytes,
                    size_t count, cdcmtk_error *error);
int cdcmtk_put_integers(cdcmtk_item *item, uint32_t tag, const char *vr, const int64_t *values,
                        size_t count, cdcmtk_error *error);
int cdcmtk_put_reals(cdcmtk_item *item, uint32_t tag, const char *vr, const double *values,
                     size_t count, cdcmtk_error *error);
int cdcmtk_put_bytes(cdcmtk_item *item, uint32_t tag, const char *vr, const uint8_t *bytes,
                     size_t count, cdcmtk_error *error);
/// Inserts an empty sequence.
int cdcmtk_put_sequence(cdcmtk_item *item, uint32_t tag, cdcmtk_error *error);
/// Appends an item to a sequence put before.
int cdcmtk_append_item(
    cdcmtk_item *item, uint32_t tag, cdcmtk_item **appended, cdcmtk_error *error);

/// Writes the dataset with file meta information in Explicit VR Little Endian over the file `path`.
int cdcmtk_builder_save(cdcmtk_builder *builder, const char *path, cdcmtk_error *error);

/// Decodes one JPEG or JPEG-LS frame of one component into samples of one byte (`precision` up to
/// 8) or two. `count` bytes of `samples` must be exactly the frame. A warning of the decoder about
/// corrupt data is an error here.
int cdcmtk_decode_jpeg(
    const char *transfer_syntax, const uint8_t *codestream, size_t length, uint16_t rows,
    uint16_t columns, uint16_t precision, uint8_t *samples, size_t count, cdcmtk_error *error);

#ifdef __cplusplus
}
#endif
#endif
