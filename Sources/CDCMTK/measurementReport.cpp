#include "visiting.h"

#include "CDCMTKReport.h"

#include "dcmtk/dcmsr/cmr/tid1500.h"
#include "dcmtk/dcmsr/codes/dcm.h"
#include "dcmtk/dcmsr/dsrdoc.h"

struct cdcmtk_report {
  TID1500_MeasurementReport report{CMR_CID7021::ImagingMeasurementReport};
  DSRDocument document{DSRTypes::DT_Comprehensive3DSR};
  bool has_groups = false;
  /// Whether the group begun last is of a segment.
  bool is_of_segment = false;
};

namespace {

DSRCodedEntryValue code(const cdcmtk_code *code) {
  return code ? DSRCodedEntryValue(code->value, code->scheme, code->meaning)
              : DSRCodedEntryValue();
}

CMR_CID244e laterality(const cdcmtk_code *side) { return CMR_CID244e(code(side)); }

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

/// What groups of both templates have.
template <typename Group, typename Step>
void describe(Group &group, const cdcmtk_group &described, Step step) {
  step(group.setTrackingIdentifier(described.tracking_id));
  step(group.setTrackingUniqueIdentifier(described.tracking_uid));
  if (described.finding) step(group.setFinding(code(described.finding)));
  if (described.site) {
    step(group.addFindingSite(code(described.site), laterality(described.laterality)));
  }
}

/// Adds a number to a group.
///
/// - Returns: its template, which takes what belongs to it.
template <typename Group, typename Step>
auto add_measurement(Group &group, const cdcmtk_measurement &measurement, Step step)
    -> decltype(&group.getMeasurement()) {
  typedef typename Group::MeasurementValue Value;
  const bool is_added = step(group.addMeasurement(
      CMR_CID7469(code(measurement.concept)),
      Value(measurement.value, CMR_CID7181(code(measurement.unit)))));
  if (!is_added) return nullptr;
  auto &added = group.getMeasurement();
  if (measurement.derivation) step(added.setDerivation(CMR_CID7464(code(measurement.derivation))));
  return &added;
}

template <typename Owner>
OFCondition evaluate(Owner &owner, const cdcmtk_code *concept, const cdcmtk_code *value,
                     const char *text) {
  return value ? owner.addQualitativeEvaluation(code(concept), code(value))
               : owner.addQualitativeEvaluation(code(concept), OFString(text));
}

// UIDs of source images are taken as they are, also with leading zeros, which DCMTK's checks refuse.

/// The header of an image as far as the image library reads it.
OFCondition put_instance(DcmItem &item, const cdcmtk_instance &instance) {
  OFCondition condition = item.putAndInsertString(DCM_SOPClassUID, instance.sop_class_uid);
  if (condition.good()) {
    condition = item.putAndInsertString(DCM_SOPInstanceUID, instance.sop_instance_uid);
  }
  return condition;
}

}  // namespace

cdcmtk_report *cdcmtk_report_create(void) {
  try {
    return new cdcmtk_report;
  } catch (...) {
    return nullptr;
  }
}

void cdcmtk_report_free(cdcmtk_report *report) { delete report; }

int cdcmtk_report_begin(cdcmtk_report *report, const cdcmtk_device *device,
                        const cdcmtk_code *procedure, cdcmtk_error *error) {
  return in_steps(error, [&](auto step) {
    step(report->report.setLanguage(CID5000_Languages::English));
    step(report->report.getObservationContext().addDeviceObserver(
        device->uid, device->name, device->manufacturer, device->model_name,
        device->serial_number));
    step(report->report.addProcedureReported(CMR_CID100(code(procedure))));
  });
}

int cdcmtk_report_begin_images(cdcmtk_report *report, const char *modality,
                               const char *frame_of_reference_uid, uint16_t rows,
                               uint16_t columns, cdcmtk_error *error) {
  return in_steps(error, [&](auto step) {
    TID1600_ImageLibrary &library = report->report.getImageLibrary();
    if (!library.hasImageLibrary()) step(library.createNewImageLibrary());
    step(library.addImageGroup());
    DcmItem shared;
    if (*modality) step(shared.putAndInsertString(DCM_Modality, modality));
    if (*frame_of_reference_uid) {
      step(shared.putAndInsertString(DCM_FrameOfReferenceUID, frame_of_reference_uid));
    }
    step(shared.putAndInsertUint16(DCM_Rows, rows));
    step(shared.putAndInsertUint16(DCM_Columns, columns));
    step(library.addImageGroupDescriptors(shared, TID1600_ImageLibrary::withAllDescriptors,
                                          TID1600_ImageLibrary::ConceptNameList(), OFFalse));
  });
}

int cdcmtk_report_add_image(cdcmtk_report *report, const cdcmtk_instance *image,
                            cdcmtk_error *error) {
  return in_steps(error, [&](auto step) {
    DcmItem header;
    step(put_instance(header, *image));
    step(report->report.getImageLibrary().addImageEntry(
        header, TID1600_ImageLibrary::withoutDescriptors,
        TID1600_ImageLibrary::ConceptNameList(), OFFalse));
  });
}

int cdcmtk_report_add_evidence(cdcmtk_report *report, const cdcmtk_instance *instance,
                               cdcmtk_error *error) {
  return in_steps(error, [&](auto step) {
    step(report->document.getCurrentRequestedProcedureEvidence().addItem(
        instance->study_uid, instance->series_uid, instance->sop_class_uid,
        instance->sop_instance_uid, OFFalse));
  });
}

int cdcmtk_report_begin_group(cdcmtk_report *report, const cdcmtk_group *group,
                              const cdcmtk_segment *segment, cdcmtk_error *error) {
  return in_steps(error, [&](auto step) {
    report->has_groups = true;
    report->is_of_segment = segment != nullptr;
    if (!segment) {
      if (step(report->report.addIndividualMeasurements())) {
        describe(report->report.getIndividualMeasurements(), *group, step);
      }
      return;
    }
    if (!step(report->report.addVolumetricROIMeasurements())) return;
    auto &measured = report->report.getVolumetricROIMeasurements();
    describe(measured, *group, step);
    DSRImageReferenceValue reference(segment->sop_class_uid, segment->sop_instance_uid);
    reference.getSegmentList().addItem(segment->number);
    step(measured.setReferencedSegment(reference));
    step(measured.setSourceSeriesForSegmentation(segment->source_series_uid, OFFalse));
  });
}

int cdcmtk_report_add_measurement(cdcmtk_report *report, const cdcmtk_measurement *measurement,
                                  cdcmtk_error *error) {
  return in_steps(error, [&](auto step) {
    if (!report->is_of_segment) {
      add_measurement(report->report.getIndividualMeasurements(), *measurement, step);
      return;
    }
    auto *added =
        add_measurement(report->report.getVolumetricROIMeasurements(), *measurement, step);
    if (!added) return;
    step(added->setAlgorithmIdentification(measurement->algorithm_name,
                                           measurement->algorithm_version));
  });
}

int cdcmtk_report_add_group_evaluation(cdcmtk_report *report, const cdcmtk_code *concept,
                                       const cdcmtk_code *value, const char *text,
                                       cdcmtk_error *error) {
  return in_steps(error, [&](auto step) {
    TID1500_MeasurementReport &whole = report->report;
    step(report->is_of_segment
             ? evaluate(whole.getVolumetricROIMeasurements(), concept, value, text)
             : evaluate(whole.getIndividualMeasurements(), concept, value, text));
  });
}

int cdcmtk_report_add_evaluation(cdcmtk_report *report, const cdcmtk_code *concept,
                                 const cdcmtk_code *value, const char *text,
                                 cdcmtk_error *error) {
  return in_steps(error, [&](auto step) {
    step(evaluate(report->report, concept, value, text));
  });
}

int cdcmtk_report_finish(cdcmtk_report *report, const cdcmtk_visitor *visitor,
                         cdcmtk_error *error) {
  return in_steps(error, [&](auto step) {
    DSRDocument &document = report->document;
    if (!step(document.setTreeFromRootTemplate(report->report))) return;
    step(document.changeDocumentType(DSRTypes::DT_Comprehensive3DSR));
    // DCMTK makes the container in any case; without an item in it readers stumble (TID 1500, row 6).
    DSRDocumentTree &tree = document.getTree();
    if (!report->has_groups && tree.gotoNamedNode(CODE_DCM_ImagingMeasurements) > 0) {
      tree.removeSubTree();
    }
    step(document.completeDocument());
    DcmDataset dataset;
    step(document.write(dataset));
    if (step(EC_Normal)) step(cdcmtk_visit(dataset, *visitor));
  });
}
