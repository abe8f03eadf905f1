import DICOM
import Terminology
import Volumes
import Wording

/// The proof of a structure set: it is read back from disk and compared with the labels, the model and the
/// files of the source images, and its contours are filled again and compared voxel by voxel.
///
/// It shares no code with the writer but the reading of files. An attribute that is not accounted for is a
/// difference too.
struct StructureSetProof {
  private let object: StructureSet
  private let path: String

  init(_ object: StructureSet, path: String) {
    self.object = object
    self.path = path
  }

  /// - Throws: ``ProofError`` at the first thing that differs.
  func prove() throws(ProofError) {
    let written = try WrittenObject(path, hasPixels: false)
    try written.proveFileMetaInformation()
    try ModelProof(path, object.origin).prove(object.segments, are: .held)
    let source = try IdentityProof(written, stack: object.stack).prove()
    try HeaderProof(
      written, origin: object.origin, identifiers: object.identifiers, source: source,
      seriesKind: "structures"
    ).prove()
    try written.proveFrameOfReference(of: object.stack, source)
    let regions = presentSegments
    try proveDescription(written)
    try proveReferences(written)
    try proveRegions(written, regions)
    try ContourProof(written, object, regions: regions, source: source).prove()
    let known = Self.own.union(HeaderProof.tags).union(IdentityProof.texts)
      .union(IdentityProof.sequences)
    if let tag = written.dataset.elements.keys.filter({ !known.contains($0) }).min() {
      throw written.differs(tag, "is not expected")
    }
  }

  private static let own: Set<Tag> = [
    .frameOfReferenceUID, .structureSetLabel, .structureSetName, .structureSetDescription,
    .structureSetDate, .structureSetTime, .referencedFrameOfReferenceSequence,
    .structureSetROISequence, .roiContourSequence, .rtROIObservationsSequence, .approvalStatus,
    .operatorsName,
  ]

  /// Those that have a voxel, the first one number 1.
  private var presentSegments: [SegmentDescription] {
    var isPresent = [Bool](repeating: false, count: 256)
    object.labels.labels.withUnsafeBufferPointer { voxels in
      isPresent.withUnsafeMutableBufferPointer { isPresent in
        for voxel in voxels { isPresent[Int(voxel)] = true }
      }
    }
    return object.segments.filter { $0.labels.contains { isPresent[Int($0)] } }
  }

  private func proveDescription(_ written: WrittenObject) throws(ProofError) {
    let (dataset, origin) = (written.dataset, object.origin)
    for (tag, wanted) in [
      (Tag.sopClassUID, "1.2.840.10008.5.1.4.1.1.481.3"), (.modality, "RTSTRUCT"),
      (.studyInstanceUID, object.stack.frames.first?.studyInstanceUID ?? ""),
      (.structureSetDate, origin.moment.date), (.structureSetTime, origin.moment.time),
      (.approvalStatus, "UNAPPROVED"),
    ] { try written.expect(dataset.text(tag) == wanted, tag, "is not \(wanted)") }
    try written.expect(
      dataset.contains(.operatorsName) && (dataset.text(.operatorsName) ?? "").isEmpty,
      .operatorsName, "names somebody")
    let title = "\(origin.modelName) \(origin.modelVersion)"
    let notice =
      "For research use only, not for treatment planning. Made by a neural network."
      + origin.remarks.map { " Warning: \($0)" }.joined()
    for (tag, text, length) in [
      (Tag.structureSetLabel, origin.modelName, 16),
      (.structureSetName, origin.subject.isEmpty ? title : "\(origin.subject), \(title)", 64),
      (.structureSetDescription, notice, 1024),
    ] {
      try written.expect(
        written.says(text, tag, in: dataset, length: length), tag, "is not the model's")
    }
  }

  // MARK: References

  /// Each source series must be named with exactly its images that made the volume.
  private func proveReferences(_ written: WrittenObject) throws(ProofError) {
    let frame = try written.item(.referencedFrameOfReferenceSequence, of: written.dataset)
    try written.expect(only: [.frameOfReferenceUID, .rtReferencedStudySequence], in: frame)
    try written.expect(
      frame.text(.frameOfReferenceUID) == written.dataset.text(.frameOfReferenceUID),
      .frameOfReferenceUID, "of the contours is not the object's")
    let study = try written.item(.rtReferencedStudySequence, of: frame)
    try written.expect(
      only: [.referencedSOPClassUID, .referencedSOPInstanceUID, .rtReferencedSeriesSequence],
      in: study)
    try written.expect(
      study.text(.referencedSOPClassUID) == "1.2.840.10008.3.1.2.3.1"
        && study.text(.referencedSOPInstanceUID) == object.stack.frames.first?.studyInstanceUID,
      .rtReferencedStudySequence, "is not the source's study")
    var wanted: [String: Set<ContourPlane.Image>] = [:]
    for frame in object.stack.frames {
      wanted[frame.seriesInstanceUID, default: []].insert(ContourPlane.Image(frame))
    }
    let series = study.items(.rtReferencedSeriesSequence)
    try written.expect(
      series.count == wanted.count
        && Set(series.compactMap { $0.text(.seriesInstanceUID) }) == Set(wanted.keys),
      .rtReferencedSeriesSequence, "does not name exactly the source series")
    for item in series {
      try written.expect(only: [.seriesInstanceUID, .contourImageSequence], in: item)
      let images = item.items(.contourImageSequence)
      var named: Set<ContourPlane.Image> = []
      for image in images { named.insert(try ContourPlane.Image(image, written)) }
      try written.expect(
        named.count == images.count && named == wanted[item.text(.seriesInstanceUID) ?? ""],
        .contourImageSequence, "does not name exactly the source images")
    }
  }

  // MARK: Regions

  private func proveRegions(
    _ written: WrittenObject, _ segments: [SegmentDescription]
  ) throws(ProofError) {
    let dataset = written.dataset
    let regions = dataset.items(.structureSetROISequence)
    let contours = dataset.items(.roiContourSequence)
    let observations = dataset.items(.rtROIObservationsSequence)
    for (tag, count) in [
      (Tag.structureSetROISequence, regions.count), (.roiContourSequence, contours.count),
      (.rtROIObservationsSequence, observations.count),
    ] {
      try written.expect(
        count == segments.count, tag,
        "\(counted(count, "region")) for \(counted(segments.count, "segment"))")
    }
    for (index, segment) in segments.enumerated() {
      let number = index + 1
      let region = regions[index]
      try written.expect(
        only: [
          .roiNumber, .referencedFrameOfReferenceUID, .roiName, .roiGenerationAlgorithm,
        ], in: region)
      try written.expect(region.integers(.roiNumber) == [number], .roiNumber, "is not \(number)")
      try written.expect(
        region.text(.referencedFrameOfReferenceUID) == dataset.text(.frameOfReferenceUID),
        .referencedFrameOfReferenceUID, "is not the object's")
      try written.expect(
        written.says(segment.name, .roiName, in: region, length: 64), .roiName,
        "of region \(number) is not the model's")
      try written.expect(
        region.text(.roiGenerationAlgorithm) == "AUTOMATIC", .roiGenerationAlgorithm,
        "is not AUTOMATIC")
      let outlined = contours[index]
      try written.expect(
        only: [.roiDisplayColor, .referencedROINumber, .contourSequence], in: outlined)
      try written.expect(
        outlined.integers(.referencedROINumber) == [number], .referencedROINumber,
        "is not \(number)")
      try written.expect(
        outlined.integers(.roiDisplayColor) == segment.color.map { Int($0) }, .roiDisplayColor,
        "is not the colour of \(segment.name)")
      try prove(observations[index], number, segment, written)
    }
  }

  private func prove(
    _ observed: Dataset, _ number: Int, _ segment: SegmentDescription, _ written: WrittenObject
  ) throws(ProofError) {
    try written.expect(
      only: [
        .observationNumber, .referencedROINumber, .roiObservationLabel, .rtROIInterpretedType,
        .roiInterpreter, .segmentedPropertyCategoryCodeSequence,
        .rtROIIdentificationCodeSequence,
      ], in: observed)
    for tag in [Tag.observationNumber, .referencedROINumber] {
      try written.expect(observed.integers(tag) == [number], tag, "is not \(number)")
    }
    try written.expect(
      written.says(segment.name, .roiObservationLabel, in: observed, length: 16),
      .roiObservationLabel, "of region \(number) is not the model's")
    let isAnatomy = ["SCT 91723000", "SCT 123037004", "SCT 85756007"].contains(
      "\(segment.category.scheme) \(segment.category.value)")
    try written.expect(
      (observed.text(.rtROIInterpretedType) ?? "") == (isAnatomy ? "ORGAN" : ""),
      .rtROIInterpretedType, "is not what the category says")
    try written.expect(
      (observed.text(.roiInterpreter) ?? "").isEmpty, .roiInterpreter, "names somebody")
    try written.expect(segment.category, .segmentedPropertyCategoryCodeSequence, in: observed)
    let modifier = Tag.segmentedPropertyTypeModifierCodeSequence
    try written.expect(
      segment.type, .rtROIIdentificationCodeSequence, in: observed,
      others: segment.modifier == nil ? [] : [modifier])
    if let side = segment.modifier,
      let type = observed.items(.rtROIIdentificationCodeSequence).first
    {
      try written.expect(side, modifier, in: type)
    }
  }
}
