// The part of Debian's nifti_clib (libnifti-dev) that the module NIfTI needs, without its headers.
// The caller has checked the file's header: the library trusts sizes.

#ifndef CNIFTI_H
#define CNIFTI_H

#include <stdint.h>

/// An opened file.
typedef struct cnifti_file cnifti_file;

/// Copies up to `count` bytes from the start of the file, decompressed where `isCompressed`.
/// Returns how many there were, or -1 where the file cannot be opened.
int64_t cnifti_read_start(const char *path, int isCompressed, void *bytes, int64_t count);

/// Reads the header; NULL where the library refuses it.
cnifti_file *cnifti_open(const char *path);
void cnifti_close(cnifti_file *file);

/// The first three rows of the map from voxel indices to the file's millimetres (RAS), by row.
void cnifti_sform(const cnifti_file *file, double affine[12]);
void cnifti_qform(const cnifti_file *file, double affine[12]);

/// Reads all voxels in the machine's byte order, also those that are not numbers; NULL where the file
/// ends early or is damaged.
/// They belong to `file`.
const void *cnifti_load(cnifti_file *file);

/// Writes 8-bit labels as one .nii or .nii.gz file, as the suffix of `path` says, of NIfTI version
/// 1 or 2.
///
/// With `source` both its maps are taken over as they are; without it, `affine` (RAS, by row) is
/// written as both, or as sform alone where it is sheared, which no qform can say. Returns 0, or 1 where it fails.
int cnifti_write_labels(const char *path, int version, const uint8_t *labels,
                        const int64_t shape[3], const cnifti_file *source,
                        const double affine[12]);

#endif
