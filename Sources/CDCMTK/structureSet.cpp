#include "visiting.h"

#include "CDCMTKStructures.h"

#include "dcmtk/dcmrt/drtstrct.h"

#include <memory>

struct cdcmtk_structures {
  DRTStructureSetIOD set;
  OFString frame_of_reference;
  DRTRTReferencedStudySequence::Item *study = nullptr;
  DRTRTReferencedSeriesSequence::Item *series = nullptr;
  DRTROIContourSequence::Item *region = nullptr;
  unsigned contours = 0;
};

namespace {

/// The class of a study as it is referred to (PS3.3 C.8.8.5): Detached Study Management, retired.
constexpr char study_class[] = "1.2.840.10008.3.1.2.3.1";
/// Most bytes of DS in Explicit VR (PS3.5 7.1.2), which are even.
constexpr size_t most_bytes = 65534;

/// Runs the steps of a body until one fails; `step` is given the condition of each.
template <typename Body> int in_steps(cdcmtk_error *error, Body body) {
  return cdcmtk_guarded(error, [&] {
    OFCondition condition = EC_Normal;
    body([&](const OFCondition &next) {
      if (condition.good()) condition = next;
      return condition.good();
    });
    return cdcmtk_check(condition, CDCMTK_BAD_DATA, error);
  });
}

template <typename Item, typename Step>
void set_code(Item &item, const cdcmtk_code &code, Step step) {
  // The caller's texts are in the character set of the dataset, which is not known here.
  step(item.setCodeValue(code.value, OFFalse));
  step(item.setCodingSchemeDesignator(code.scheme, OFFalse));
  step(item.setCodeMeaning(code.meaning, OFFalse));
}

template <typename Sequence, typename Step>
void set_image(Sequence &sequence, const cdcmtk_contour_image &image, Step step) {
  DRTContourImageSequence::Item *item = nullptr;
  if (!step(sequence.addItem(item))) return;
  step(item->setReferencedSOPClassUID(image.sop_class_uid));
  step(item->setReferencedSOPInstanceUID(image.sop_instance_uid));
  if (image.frame_number > 0) {
    step(item->setReferencedFrameNumber(std::to_string(image.frame_number).c_str()));
  }
}

/// Appends a decimal string.
///
/// - Returns: whether it has no more characters than DS admits.
bool append(double value, std::string &text) {
  char number[64];
  int length = snprintf(number, sizeof number, "%.4f", value);
  if (length < 0 || length >= int(sizeof number)) return false;
  while (length > 0 && number[length - 1] == '0') --length;
  if (length > 0 && number[length - 1] == '.') --length;
  if (length == 2 && number[0] == '-' && number[1] == '0') {
    number[0] = '0';
    length = 1;
  }
  if (!text.empty()) text += '\\';
  text.append(number, size_t(length));
  return length <= 16;
}

}  // namespace

cdcmtk_structures *cdcmtk_structures_create(void) {
  try {
    return new cdcmtk_structures;
  } catch (...) {
    return nullptr;
  }
}

void cdcmtk_structures_free(cdcmtk_structures *structures) { delete structures; }

int cdcmtk_structures_begin(cdcmtk_structures *structures, const cdcmtk_structure_set *set,
                            const char *study_uid, cdcmtk_error *error) {
  return in_steps(error, [&](auto step) {
    DRTStructureSetIOD &iod = structures->set;
    // DCMTK writes no structure set without them; the caller has its own.
    step(iod.setSOPInstanceUID("2.25.1"));
    step(iod.setStudyInstanceUID(study_uid));
    step(iod.setSeriesInstanceUID("2.25.1"));
    step(iod.setModality("RTSTRUCT"));
    step(iod.setStructureSetLabel(set->label, OFFalse));
    step(iod.setStructureSetName(set->name, OFFalse));
    step(iod.setStructureSetDescription(set->description, OFFalse));
    step(iod.setStructureSetDate(set->date));
    step(iod.setStructureSetTime(set->time));
    step(iod.setApprovalStatus("UNAPPROVED"));
    structures->frame_of_reference = set->frame_of_reference_uid;
    DRTReferencedFrameOfReferenceSequence::Item *frame = nullptr;
    if (!step(iod.getReferencedFrameOfReferenceSequence().addItem(frame))) return;
    step(frame->setFrameOfReferenceUID(set->frame_of_reference_uid));
    if (!step(frame->getRTReferencedStudySequence().addItem(structures->study))) return;
    step(structures->study->setReferencedSOPClassUID(study_class));
    step(structures->study->setReferencedSOPInstanceUID(study_uid));
  });
}

int cdcmtk_structures_add_series(cdcmtk_structures *structures, const char *series_uid,
                                 cdcmtk_error *error) {
  return in_steps(error, [&](auto step) {
    auto &sequence = structures->study->getRTReferencedSeriesSequence();
    if (!step(sequence.addItem(structures->series))) return;
    step(structures->series->setSeriesInstanceUID(series_uid));
  });
}

int cdcmtk_structures_add_image(cdcmtk_structures *structures, const cdcmtk_contour_image *image,
                                cdcmtk_error *error) {
  return in_steps(error, [&](auto step) {
    set_image(structures->series->getContourImageSequence(), *image, step);
  });
}

int cdcmtk_structures_add_region(cdcmtk_structures *structures, const cdcmtk_region *region,
                                 cdcmtk_error *error) {
  return in_steps(error, [&](auto step) {
    DRTStructureSetIOD &iod = structures->set;
    const std::string number = std::to_string(region->number);
    DRTStructureSetROISequence::Item *roi = nullptr;
    if (!step(iod.getStructureSetROISequence().addItem(roi))) return;
    step(roi->setROINumber(number.c_str()));
    step(roi->setReferencedFrameOfReferenceUID(structures->frame_of_reference));
    step(roi->setROIName(region->name, OFFalse));
    step(roi->setROIGenerationAlgorithm("AUTOMATIC"));
    structures->contours = 0;
    if (!step(iod.getROIContourSequence().addItem(structures->region))) return;
    char color[16];
    snprintf(color, sizeof color, "%u\\%u\\%u", region->color[0], region->color[1],
             region->color[2]);
    step(structures->region->setROIDisplayColor(color));
    step(structures->region->setReferencedROINumber(number.c_str()));
    DRTRTROIObservationsSequence::Item *observed = nullptr;
    if (!step(iod.getRTROIObservationsSequence().addItem(observed))) return;
    step(observed->setObservationNumber(number.c_str()));
    step(observed->setReferencedROINumber(number.c_str()));
    step(observed->setROIObservationLabel(region->label, OFFalse));
    step(observed->setRTROIInterpretedType(region->interpreted_type));
    step(observed->setROIInterpreter(""));
    DRTSegmentedPropertyCategoryCodeSequence::Item *category = nullptr;
    if (!step(observed->getSegmentedPropertyCategoryCodeSequence().addItem(category))) return;
    set_code(*category, *region->category, step);
    DRTRTROIIdentificationCodeSequence::Item *type = nullptr;
    if (!step(observed->getRTROIIdentificationCodeSequence().addItem(type))) return;
    set_code(*type, *region->type, step);
    if (!region->modifier) return;
    DRTSegmentedPropertyTypeModifierCodeSequence::Item *modifier = nullptr;
    if (step(type->getSegmentedPropertyTypeModifierCodeSequence().addItem(modifier))) {
      set_code(*modifier, *region->modifier, step);
    }
  });
}

int cdcmtk_structures_add_contour(cdcmtk_structures *structures, const cdcmtk_contour_image *image,
                                  const double *points, size_t count, cdcmtk_error *error) {
  std::string text;
  bool fits = true;
  const int formatted = cdcmtk_guarded(error, [&] {
    for (size_t i = 0; i < 3 * count && fits; ++i) fits = append(points[i], text);
    return int(CDCMTK_OK);
  });
  if (formatted != CDCMTK_OK) return formatted;
  if (!fits || text.size() > most_bytes) {
    return cdcmtk_fail(error, CDCMTK_BAD_DATA, "a contour has more digits than DICOM can hold");
  }
  return in_steps(error, [&](auto step) {
    DRTContourSequence::Item *contour = nullptr;
    if (!step(structures->region->getContourSequence().addItem(contour))) return;
    set_image(contour->getContourImageSequence(), *image, step);
    step(contour->setContourGeometricType("CLOSED_PLANAR"));
    step(contour->setNumberOfContourPoints(std::to_string(count).c_str()));
    step(contour->setContourNumber(std::to_string(++structures->contours).c_str()));
    step(contour->setContourData(text.c_str(), OFFalse));
  });
}

int cdcmtk_structures_finish(cdcmtk_structures *structures, const cdcmtk_visitor *visitor,
                             cdcmtk_error *error) {
  return in_steps(error, [&](auto step) {
    DcmDataset dataset;
    if (!step(structures->set.write(dataset))) return;
    structures->set.clear();
    step(cdcmtk_visit(dataset, *visitor));
  });
}
