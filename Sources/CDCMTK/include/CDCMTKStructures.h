// RT structure sets (PS3.3 A.19) by DCMTK behind plain C. Functions are called in the order in which they
// are declared; those that add something may be called again, contours after the region that they are of.
// Texts are in the character set of the dataset that the structure set becomes a part of.
#ifndef CDCMTK_STRUCTURES_H
#define CDCMTK_STRUCTURES_H

#include "CDCMTKFile.h"
#include "CDCMTKReport.h"

#ifdef __cplusplus
extern "C" {
#endif

/// What a structure set says as a whole (PS3.3 C.8.8.5), and the frame of reference of its contours.
typedef struct {
  const char *label;
  const char *name;
  const char *description;
  const char *date;
  const char *time;
  const char *frame_of_reference_uid;
} cdcmtk_structure_set;

/// An image; the frame number is 0 where it is of an instance with one frame.
typedef struct {
  const char *sop_class_uid;
  const char *sop_instance_uid;
  uint32_t frame_number;
} cdcmtk_contour_image;

/// A region of interest, and what is observed in it (PS3.3 C.8.8.8). The modifier may be null.
typedef struct {
  uint32_t number;
  const char *name;
  const char *label;
  uint8_t color[3];
  const char *interpreted_type;
  const cdcmtk_code *category;
  const cdcmtk_code *type;
  const cdcmtk_code *modifier;
} cdcmtk_region;

/// A structure set that is built.
typedef struct cdcmtk_structures cdcmtk_structures;

/// Null where there is no memory.
cdcmtk_structures *cdcmtk_structures_create(void);
void cdcmtk_structures_free(cdcmtk_structures *structures);

int cdcmtk_structures_begin(cdcmtk_structures *structures, const cdcmtk_structure_set *set,
                            const char *study_uid, cdcmtk_error *error);

/// Adds a series whose images follow.
int cdcmtk_structures_add_series(cdcmtk_structures *structures, const char *series_uid,
                                 cdcmtk_error *error);

int cdcmtk_structures_add_image(cdcmtk_structures *structures, const cdcmtk_contour_image *image,
                                cdcmtk_error *error);

int cdcmtk_structures_add_region(cdcmtk_structures *structures, const cdcmtk_region *region,
                                 cdcmtk_error *error);

/// Adds a closed planar contour to the region that was added last.
///
/// `points` holds x, y and z in mm of `count` points; they are written with four decimals. Fails where a
/// number has more than 16 characters so, or the contour more than 65,534 (PS3.5 6.2, 7.1.2).
int cdcmtk_structures_add_contour(cdcmtk_structures *structures, const cdcmtk_contour_image *image,
                                  const double *points, size_t count, cdcmtk_error *error);

/// Visits the elements of the structure set. Those of other modules have values that DCMTK demands; the caller
/// has its own.
int cdcmtk_structures_finish(cdcmtk_structures *structures, const cdcmtk_visitor *visitor,
                             cdcmtk_error *error);

#ifdef __cplusplus
}
#endif

#endif
