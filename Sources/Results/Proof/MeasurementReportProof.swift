import DICOM
import Foundation
import Terminology
import Volumes

/// The proof of a measurement report: it is read back from disk and compared, item by item, with the
/// segmentation objects and the source images as they are on disk. Each number is measured anew.
///
/// It shares no code with the writer but the reading of files. What is not accounted for is a difference too.
struct MeasurementReportProof {
  private let report: MeasurementReport
  private let path: String

  init(_ report: MeasurementReport, path: String) {
    self.report = report
    self.path = path
  }

  /// What a report must not have: its IOD has no place for it.
  private static let withoutPlace: Set<Tag> = [
    .positionReferenceIndicator, .bodyPartExamined, .laterality, .requestAttributesSequence,
  ]

  /// - Throws: ``ProofError`` at the first thing that differs.
  func prove() throws(ProofError) {
    let written = try WrittenObject(path, hasPixels: false)
    guard var images = report.stacks.first else {
      throw written.differs(.contentSequence, "is of no image")
    }
    images.frames = report.stacks.flatMap(\.frames)
    try written.proveFileMetaInformation()
    try proveModel()
    let source = try IdentityProof(
      written, stack: images, withoutPlace: Self.withoutPlace
    ).prove()
    try HeaderProof(
      written, origin: report.origin, identifiers: report.identifiers, source: source,
      seriesKind: "report"
    ).prove()
    try proveDocument(written, images)
    try proveEvidence(written, images)
    var measured: [MeasuredAnew] = []
    for segmentation in report.segmentations {
      measured.append(try MeasuredAnew(segmentation, for: written))
    }
    let due = try DueContent(report, images: images, source: source, measured: measured, written)
    try ContentProof(written).prove(due.items, in: written.dataset, under: "report")
  }

  private func proveModel() throws(ProofError) {
    let heart = report.heart
    try ModelProof(path, report.origin).prove(
      report.segments, are: .held,
      with: report.segmentations.flatMap(\.segments).map(\.description)
        + (heart?.cavities ?? []) + [heart?.myocardium].compactMap(\.self))
  }

  private func proveDocument(
    _ written: WrittenObject, _ images: SliceStack
  ) throws(ProofError) {
    let dataset = written.dataset
    for (tag, wanted) in [
      (Tag.sopClassUID, "1.2.840.10008.5.1.4.1.1.88.34"), (.modality, "SR"),
      (.completionFlag, "COMPLETE"), (.verificationFlag, "UNVERIFIED"),
      (.valueType, "CONTAINER"), (.continuityOfContent, "SEPARATE"),
      (.studyInstanceUID, images.frames.first?.studyInstanceUID ?? ""),
    ] { try written.expect(dataset.text(tag) == wanted, tag, "is not \(wanted)") }
    try written.expect(
      CodedConcept(value: "126000", scheme: "DCM", meaning: "Imaging Measurement Report"),
      .conceptNameCodeSequence, in: dataset)
    try ContentProof(written).prove(template: "1500", of: dataset)
    for tag in [Tag.performedProcedureCodeSequence, .referencedPerformedProcedureStepSequence] {
      try written.expect(
        dataset.contains(tag) && dataset.items(tag).isEmpty, tag, "is not an empty sequence")
    }
    let own: Set<Tag> = [
      .completionFlag, .verificationFlag, .valueType, .continuityOfContent,
      .conceptNameCodeSequence, .contentTemplateSequence, .contentSequence,
      .performedProcedureCodeSequence, .referencedPerformedProcedureStepSequence,
      .currentRequestedProcedureEvidenceSequence,
    ]
    let known = own.union(HeaderProof.tags).union(IdentityProof.texts)
      .union(IdentityProof.sequences)
    if let tag = dataset.elements.keys.filter({ !known.contains($0) }).min() {
      throw written.differs(tag, "is not expected")
    }
  }

  /// All images and segmentation objects must be named by their series, and nothing else (PS3.3 C.17.2.3).
  private func proveEvidence(
    _ written: WrittenObject, _ images: SliceStack
  ) throws(ProofError) {
    var due: Set<[String]> = []
    for frame in images.frames {
      due.insert([
        frame.studyInstanceUID, frame.seriesInstanceUID, frame.sopClassUID, frame.sopInstanceUID,
      ])
    }
    for segmentation in report.segmentations {
      due.insert([
        images.frames[0].studyInstanceUID, segmentation.identifiers.seriesInstanceUID,
        "1.2.840.10008.5.1.4.1.1.66.4", segmentation.identifiers.sopInstanceUID,
      ])
    }
    var found: [[String]] = []
    let tag = Tag.currentRequestedProcedureEvidenceSequence
    for study in written.dataset.items(tag) {
      try written.expect(only: [.studyInstanceUID, .referencedSeriesSequence], in: study)
      for series in study.items(.referencedSeriesSequence) {
        try written.expect(only: [.seriesInstanceUID, .referencedSOPSequence], in: series)
        for instance in series.items(.referencedSOPSequence) {
          try written.expect(
            only: [.referencedSOPClassUID, .referencedSOPInstanceUID], in: instance)
          found.append(
            [
              study.text(.studyInstanceUID), series.text(.seriesInstanceUID),
              instance.text(.referencedSOPClassUID), instance.text(.referencedSOPInstanceUID),
            ].map { $0 ?? "" })
        }
      }
    }
    try written.expect(
      found.count == due.count && Set(found) == due, tag,
      "does not name exactly the source images and the segmentations")
  }
}
