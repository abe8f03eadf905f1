#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
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

/// What libpng says of a fault, and the error of the system that it left.
struct png_kept_fault {
  char *words;
  size_t size;
  int error;
};

static inline void png_keep_fault(png_structp png, png_const_charp words) {
  struct png_kept_fault *fault = (struct png_kept_fault *)png_get_error_ptr(png);
  fault->error = errno;
  snprintf(fault->words, fault->size, "%s", words);
  png_longjmp(png, 1);
}

static inline void png_ignore_warning(png_structp png, png_const_charp words) {
  (void)png;
  (void)words;
}

/// Writes a picture to a file as RGB of 8 bits.
///
/// Each row is told from the one above it (filter Up) and deflated at level 3. Of 38 pictures of slices with contours
/// that took 2.6 to 5.2 times less than all filters and level 6, and 1.05 times the bytes (median); one, of a smooth
/// phantom and 48 kB, grew to 1.79 times, all others by less than 1.3.
///
/// `pixels` are numbers 0x00RRGGBB of 32 bits, rows from the top, `stride` bytes from one row to the next. Returns 0,
/// or 1 with what is wrong in `words`, which has room for `words_size` bytes, and the system's error in `errno`.
static inline int png_write_rgb_file(const char *path, unsigned columns, unsigned rows,
                                     const unsigned char *pixels, size_t stride, char *words,
                                     size_t words_size) {
  struct png_kept_fault fault = {words, words_size, 0};
  FILE *file = fopen(path, "wbe");
  if (!file) {
    fault.error = errno;
    snprintf(words, words_size, "%s", strerror(fault.error));
    errno = fault.error;
    return 1;
  }
  png_structp png =
      png_create_write_struct(PNG_LIBPNG_VER_STRING, &fault, png_keep_fault, png_ignore_warning);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info) {
    snprintf(words, words_size, "%s", strerror(ENOMEM));
    png_destroy_write_struct(&png, NULL);
    fclose(file);
    errno = ENOMEM;
    return 1;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    fclose(file);
    errno = fault.error;
    return 1;
  }
  png_init_io(png, file);
  png_set_IHDR(png, info, columns, rows, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(png, 3);
  png_set_filter(png, PNG_FILTER_TYPE_DEFAULT, PNG_FILTER_UP);
  png_write_info(png, info);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  png_set_bgr(png);
  png_set_filler(png, 0, PNG_FILLER_AFTER);
#else
  png_set_filler(png, 0, PNG_FILLER_BEFORE);
#endif
  for (unsigned row = 0; row < rows; row += 1) png_write_row(png, pixels + row * stride);
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  if (fclose(file) != 0) {
    fault.error = errno;
    snprintf(words, words_size, "%s", strerror(fault.error));
    errno = fault.error;
    return 1;
  }
  return 0;
}
