// Measurement reports (PS3.16, TID 1500) by DCMTK behind plain C. Functions are called in the order in
// which they are declared; those that add something may be called again. Texts are in the character set
// of the dataset that the report becomes a part of.
#ifndef CDCMTK_REPORT_H
#define CDCMTK_REPORT_H

#include "CDCMTKFile.h"

#ifdef __cplusplus
extern "C" {
#endif

/// A coded concept (PS3.3 8.8): code value, coding scheme designator, code meaning.
typedef struct {
  const char *value;
  const char *scheme;
  const char *meaning;
} cdcmtk_code;

/// The device that observes (TID 1004).
typedef struct {
  const char *uid;
  const char *name;
  const char *manufacturer;
  const char *model_name;
  const char *serial_number;
} cdcmtk_device;

/// An instance with the series and study that it is of.
typedef struct {
  const char *study_uid;
  const char *series_uid;
  const char *sop_class_uid;
  const char *sop_instance_uid;
} cdcmtk_instance;

/// A group of measurements. Codes may be null where there is none.
typedef struct {
  const char *tracking_id;
  const char *tracking_uid;
  const cdcmtk_code *finding;
  const cdcmtk_code *site;
  const cdcmtk_code *laterality;
} cdcmtk_group;

/// The segment that a group measures, and the series that was segmented.
typedef struct {
  const char *sop_class_uid;
  const char *sop_instance_uid;
  uint16_t number;
  const char *source_series_uid;
} cdcmtk_segment;

/// A number (TID 300, TID 1419). The derivation may be null.
typedef struct {
  const cdcmtk_code *concept;
  const char *value;
  const cdcmtk_code *unit;
  const cdcmtk_code *derivation;
  const char *algorithm_name;
  const char *algorithm_version;
} cdcmtk_measurement;

/// A report being built: an imaging measurement report in English.
typedef struct cdcmtk_report cdcmtk_report;

cdcmtk_report *cdcmtk_report_create(void);
void cdcmtk_report_free(cdcmtk_report *report);

/// Observer context and procedure reported.
int cdcmtk_report_begin(cdcmtk_report *report, const cdcmtk_device *device,
                        const cdcmtk_code *procedure, cdcmtk_error *error);

/// Begins the group of the image library (TID 1600) with what all its images share. The modality and the
/// frame of reference may be empty.
int cdcmtk_report_begin_images(cdcmtk_report *report, const char *modality,
                               const char *frame_of_reference_uid, uint16_t rows,
                               uint16_t columns, cdcmtk_error *error);

/// Adds an image to the library.
int cdcmtk_report_add_image(cdcmtk_report *report, const cdcmtk_instance *image,
                            cdcmtk_error *error);

/// Names an instance that the report refers to (PS3.3 C.17.2.3).
int cdcmtk_report_add_evidence(cdcmtk_report *report, const cdcmtk_instance *instance,
                               cdcmtk_error *error);

/// Begins a group: of a segment (TID 1411), or, where `segment` is null, of others (TID 1501).
int cdcmtk_report_begin_group(cdcmtk_report *report, const cdcmtk_group *group,
                              const cdcmtk_segment *segment, cdcmtk_error *error);

/// Adds a number to the group begun last.
int cdcmtk_report_add_measurement(cdcmtk_report *report, const cdcmtk_measurement *measurement,
                                  cdcmtk_error *error);

/// Adds a statement to the group begun last: a code, or, where that is null, a text.
int cdcmtk_report_add_group_evaluation(cdcmtk_report *report, const cdcmtk_code *concept,
                                       const cdcmtk_code *value, const char *text,
                                       cdcmtk_error *error);

/// Adds a statement on the whole report.
int cdcmtk_report_add_evaluation(cdcmtk_report *report, const cdcmtk_code *concept,
                                 const cdcmtk_code *value, const char *text, cdcmtk_error *error);

/// Visits the dataset of the report as a Comprehensive 3D SR. Patient, study, series, equipment and
/// UIDs are DCMTK's own or empty: the caller's take their places.
int cdcmtk_report_finish(cdcmtk_report *report, const cdcmtk_visitor *visitor,
                         cdcmtk_error *error);

#ifdef __cplusplus
}
#endif
#endif
