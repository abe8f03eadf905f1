#include "CNIFTI.h"

#include <nifti2_io.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static nifti_image *image(const cnifti_file *file) { return (nifti_image *)file; }

int64_t cnifti_read_start(const char *path, int isCompressed, void *bytes, int64_t count) {
  znzFile file = znzopen(path, "rb", isCompressed);
  if (znz_isnull(file)) return -1;
  int64_t done = (int64_t)znzread(bytes, 1, (size_t)count, file);
  znzclose(file);
  return done < 0 ? 0 : done;
}

cnifti_file *cnifti_open(const char *path) {
  nifti_set_debug_level(0);
  return (cnifti_file *)nifti_image_read(path, 0);
}

void cnifti_close(cnifti_file *file) { nifti_image_free(image(file)); }

static void copy_rows(const nifti_dmat44 *matrix, double affine[12]) {
  for (int row = 0; row < 3; row++)
    for (int column = 0; column < 4; column++) affine[row * 4 + column] = matrix->m[row][column];
}

void cnifti_sform(const cnifti_file *file, double affine[12]) {
  copy_rows(&image(file)->sto_xyz, affine);
}

void cnifti_qform(const cnifti_file *file, double affine[12]) {
  copy_rows(&image(file)->qto_xyz, affine);
}

// nifti_image_load replaces what is not a number by 0, silently.
const void *cnifti_load(cnifti_file *file) {
  nifti_image *nim = image(file);
  const size_t bytes = (size_t)nim->nvox * (size_t)nim->nbyper;
  void *data = malloc(bytes > 0 ? bytes : 1);
  znzFile source = znzopen(nim->iname, "rb", nifti_is_gzfile(nim->iname));
  const int complete = data != NULL && !znz_isnull(source) &&
                       znzseek(source, (long)nim->iname_offset, SEEK_SET) >= 0 &&
                       znzread(data, 1, bytes, source) == bytes;
  if (!znz_isnull(source)) znzclose(source);
  if (!complete) {
    free(data);
    return NULL;
  }
  if (nim->swapsize > 1 && nim->byteorder != nifti_short_order())
    nifti_swap_Nbytes((int64_t)(bytes / (size_t)nim->swapsize), nim->swapsize, data);
  free(nim->data);
  return nim->data = data;  // nifti_image_free gives it back
}

/// Whether two axes are so far from perpendicular that no quaternion describes the map.
static int is_sheared(const double affine[12]) {
  double products[3][3] = {{0}};
  for (int a = 0; a < 3; a++)
    for (int b = 0; b < 3; b++)
      for (int row = 0; row < 3; row++)
        products[a][b] += affine[4 * row + a] * affine[4 * row + b];
  for (int a = 0; a < 3; a++)
    for (int b = 0; b < a; b++)
      if (fabs(products[a][b]) > 1e-3 * sqrt(products[a][a] * products[b][b])) return 1;
  return 0;
}

static void set_maps(nifti_image *nim, const double affine[12]) {
  nifti_dmat44 matrix;
  memset(&matrix, 0, sizeof matrix);
  matrix.m[3][3] = 1;
  for (int index = 0; index < 12; index++) matrix.m[index / 4][index % 4] = affine[index];
  nim->sform_code = NIFTI_XFORM_SCANNER_ANAT;
  nim->qform_code = is_sheared(affine) ? NIFTI_XFORM_UNKNOWN : NIFTI_XFORM_SCANNER_ANAT;
  nim->sto_xyz = nim->qto_xyz = matrix;
  nifti_dmat44_to_quatern(matrix, &nim->quatern_b, &nim->quatern_c, &nim->quatern_d,
                          &nim->qoffset_x, &nim->qoffset_y, &nim->qoffset_z, &nim->dx, &nim->dy,
                          &nim->dz, &nim->qfac);
  nim->pixdim[0] = nim->qfac;
  nim->pixdim[1] = nim->dx;
  nim->pixdim[2] = nim->dy;
  nim->pixdim[3] = nim->dz;
  nim->xyz_units = NIFTI_UNITS_MM;
}

static void take_maps(nifti_image *nim, const nifti_image *source) {
  nim->qform_code = source->qform_code;
  nim->sform_code = source->sform_code;
  nim->sto_xyz = source->sto_xyz;
  nim->qto_xyz = source->qto_xyz;
  nim->quatern_b = source->quatern_b;
  nim->quatern_c = source->quatern_c;
  nim->quatern_d = source->quatern_d;
  nim->qoffset_x = source->qoffset_x;
  nim->qoffset_y = source->qoffset_y;
  nim->qoffset_z = source->qoffset_z;
  nim->qfac = source->qfac;
  nim->dx = source->dx;
  nim->dy = source->dy;
  nim->dz = source->dz;
  memcpy(nim->pixdim, source->pixdim, 4 * sizeof nim->pixdim[0]);
  nim->xyz_units = source->xyz_units;
}

static int write_file(const char *path, const void *header, size_t header_size,
                      const uint8_t *labels, size_t count) {
  const char no_extension[4] = {0, 0, 0, 0};
  znzFile file = znzopen(path, "wb", nifti_is_gzfile(path));
  if (znz_isnull(file)) return 1;
  int failed = znzwrite(header, 1, header_size, file) != header_size ||
               znzwrite(no_extension, 1, 4, file) != 4 || znzwrite(labels, 1, count, file) != count;
  return znzclose(file) != 0 || failed;
}

// nifti_image_write of nifti_clib 3.0.1 writes no single file of version 2, and reports no failure:
// the header is the library's, the writing ours.
static int write_image(const char *path, int version, const nifti_image *nim,
                       const uint8_t *labels) {
  if (version == 2) {
    nifti_2_header header;
    if (nifti_convert_nim2n2hdr(nim, &header) != 0) return 1;
    memcpy(header.magic, "n+2\0\r\n\032\n", 8);
    header.vox_offset = sizeof header + 4;
    return write_file(path, &header, sizeof header, labels, (size_t)nim->nvox);
  }
  nifti_1_header header;
  if (nifti_convert_nim2n1hdr(nim, &header) != 0) return 1;
  memcpy(header.magic, "n+1\0", 4);
  header.vox_offset = sizeof header + 4;
  return write_file(path, &header, sizeof header, labels, (size_t)nim->nvox);
}

int cnifti_write_labels(const char *path, int version, const uint8_t *labels,
                        const int64_t shape[3], const cnifti_file *source,
                        const double affine[12]) {
  const int64_t dim[8] = {3, shape[0], shape[1], shape[2], 1, 1, 1, 1};
  nifti_set_debug_level(0);
  nifti_image *nim = nifti_make_new_nim(dim, DT_UINT8, 0);
  if (nim == NULL) return 1;
  if (source != NULL) {
    take_maps(nim, image(source));
  } else {
    set_maps(nim, affine);
  }
  nim->nifti_type = NIFTI_FTYPE_NIFTI1_1;
  nim->scl_slope = 1;
  nim->intent_code = NIFTI_INTENT_LABEL;
  int failed = write_image(path, version, nim, labels);
  nifti_image_free(nim);
  return failed;
}
