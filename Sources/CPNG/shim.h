#include <png.h>
#include <string.h>

/// Writes 8-bit gray levels, rows from the top, to `memory`, which has room for `*size` bytes; then `*size` is
/// what the picture takes up. Returns 0, or 1 where it cannot be written or has no
/// room. The simplified interface of libpng is set up by macros, which Swift does not see.
static inline int png_write_gray_memory(void *memory, size_t *size, unsigned columns, unsigned rows,
                                        const unsigned char *pixels) {
  png_image image;
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = columns;
  image.height = rows;
  image.format = PNG_FORMAT_GRAY;
  png_alloc_size_t length = *size;
  if (!png_image_write_to_memory(&image, memory, &length, 0, pixels, 0, NULL)) return 1;
  *size = length;
  return 0;
}
