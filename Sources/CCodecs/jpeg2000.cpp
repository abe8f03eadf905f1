#include "support.h"

#include <openjpeg-2.5/openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace {

/// The codestream in memory as OpenJPEG reads it.
struct Source {
  const uint8_t *bytes;
  size_t length;
  size_t position;
};

OPJ_SIZE_T read_source(void *buffer, OPJ_SIZE_T wanted, void *user) {
  Source *source = static_cast<Source *>(user);
  const size_t available = source->length - source->position;
  if (available == 0) return OPJ_SIZE_T(-1);
  const size_t count = std::min<size_t>(wanted, available);
  memcpy(buffer, source->bytes + source->position, count);
  source->position += count;
  return count;
}

OPJ_OFF_T skip_source(OPJ_OFF_T wanted, void *user) {
  Source *source = static_cast<Source *>(user);
  if (wanted < 0) return -1;
  const size_t available = source->length - source->position;
  const size_t count = std::min<size_t>(size_t(wanted), available);
  source->position += count;
  return OPJ_OFF_T(count);
}

OPJ_BOOL seek_source(OPJ_OFF_T position, void *user) {
  Source *source = static_cast<Source *>(user);
  if (position < 0 || size_t(position) > source->length) return OPJ_FALSE;
  source->position = size_t(position);
  return OPJ_TRUE;
}

/// Keeps the first message of the codec.
void keep_message(const char *message, void *user) {
  ccodecs_error *error = static_cast<ccodecs_error *>(user);
  if (error && error->message[0] == 0) ccodecs_fail(error, CCODECS_BAD_DATA, message);
}

struct CodecDeleter {
  void operator()(opj_codec_t *codec) const { opj_destroy_codec(codec); }
};
struct StreamDeleter {
  void operator()(opj_stream_t *stream) const { opj_stream_destroy(stream); }
};
struct ImageDeleter {
  void operator()(opj_image_t *image) const { opj_image_destroy(image); }
};

bool is_file_format(const uint8_t *bytes, size_t length) {
  static const uint8_t signature[] = {0, 0, 0, 12, 'j', 'P', ' ', ' '};
  return length >= sizeof signature && memcmp(bytes, signature, sizeof signature) == 0;
}

bool fits(const opj_image_t &image, uint32_t rows, uint32_t columns) {
  return image.numcomps == 1 && image.x1 - image.x0 == columns && image.y1 - image.y0 == rows &&
         image.comps[0].dx == 1 && image.comps[0].dy == 1 && image.comps[0].prec >= 1 &&
         image.comps[0].prec <= 24;
}

int decode(Source &source, uint32_t rows, uint32_t columns, int32_t *samples, uint32_t *precision,
           int *is_signed, ccodecs_error *error) {
  const bool boxed = is_file_format(source.bytes, source.length);
  std::unique_ptr<opj_codec_t, CodecDeleter> codec(
      opj_create_decompress(boxed ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K));
  std::unique_ptr<opj_stream_t, StreamDeleter> stream(opj_stream_default_create(OPJ_TRUE));
  if (!codec || !stream) return ccodecs_fail(error, CCODECS_OUT_OF_MEMORY, "out of memory");

  ccodecs_error message = {};
  opj_set_error_handler(codec.get(), keep_message, &message);
  // OpenJPEG continues after a warning, with samples made up.
  ccodecs_error warning = {};
  opj_set_warning_handler(codec.get(), keep_message, &warning);
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), source.length);
  opj_stream_set_read_function(stream.get(), read_source);
  opj_stream_set_skip_function(stream.get(), skip_source);
  opj_stream_set_seek_function(stream.get(), seek_source);

  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  opj_image_t *header = nullptr;
  const bool has_header = opj_setup_decoder(codec.get(), &parameters) &&
                          opj_decoder_set_strict_mode(codec.get(), OPJ_TRUE) &&
                          opj_read_header(stream.get(), codec.get(), &header);
  std::unique_ptr<opj_image_t, ImageDeleter> image(header);
  if (!has_header || !image) {
    return ccodecs_fail(error, CCODECS_BAD_DATA,
                        message.message[0] ? message.message : "bad JPEG 2000 header");
  }
  if (!fits(*image, rows, columns)) {
    return ccodecs_fail(error, CCODECS_BAD_DATA,
                        "JPEG 2000 image size or components differ from the dataset's");
  }
  if (!opj_decode(codec.get(), stream.get(), image.get()) ||
      !opj_end_decompress(codec.get(), stream.get())) {
    return ccodecs_fail(error, CCODECS_BAD_DATA,
                        message.message[0] ? message.message : "JPEG 2000 decoding failed");
  }
  if (warning.message[0]) return ccodecs_fail(error, CCODECS_BAD_DATA, warning.message);
  const opj_image_comp_t &component = image->comps[0];
  if (component.w != columns || component.h != rows || !component.data) {
    return ccodecs_fail(error, CCODECS_BAD_DATA, "JPEG 2000 decoding gave another image size");
  }
  std::copy_n(component.data, size_t(rows) * columns, samples);
  *precision = component.prec;
  *is_signed = component.sgnd ? 1 : 0;
  return CCODECS_OK;
}

}  // namespace

int ccodecs_decode_jpeg2000(
    const uint8_t *codestream, size_t length, uint32_t rows, uint32_t columns, int32_t *samples,
    uint32_t *precision, int *is_signed, ccodecs_error *error) {
  return ccodecs_guarded(error, [&] {
    Source source = {codestream, length, 0};
    return decode(source, rows, columns, samples, precision, is_signed, error);
  });
}
