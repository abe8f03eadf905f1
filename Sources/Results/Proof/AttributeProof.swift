import DICOM
import Foundation
import Terminology
import Volumes
import Wording

/// The proof of what a segmentation object says as a whole: kind, UIDs, image and references, with what
/// ``HeaderProof`` proves.
struct AttributeProof {
  private let written: WrittenObject
  private let object: SegmentationObject
  private let source: SourceRecord
  private let segments: [SegmentDescription]

  private var dataset: Dataset { written.dataset }
  private var origin: ResultOrigin { object.origin }

  init(
    _ written: WrittenObject, _ object: SegmentationObject, source: SourceRecord,
    segments: [SegmentDescription]
  ) {
    self.written = written
    self.object = object
    self.source = source
    self.segments = segments
  }

  /// - Throws: ``ProofError`` at the first attribute that differs or is not expected.
  func prove() throws(ProofError) {
    try proveFixedValues()
    try HeaderProof(
      written, origin: origin, identifiers: object.identifiers, source: source,
      seriesKind: isLabelMap ? "label map" : isFractional ? "probabilities" : ""
    ).prove()
    try proveContent()
    try proveLoss()
    try written.proveFrameOfReference(of: object.stack, source)
    try proveDimensions()
    try proveReferences()
    try proveNothingElse()
  }

  // MARK: Values that every object has

  private var isLabelMap: Bool { object.form == .labelMap }
  private var isFractional: Bool { object.form == .fractional }

  private var segmentationType: String {
    isLabelMap ? "LABELMAP" : isFractional ? "FRACTIONAL" : "BINARY"
  }

  private var hasBytes: Bool { isLabelMap || isFractional }

  private func proveFixedValues() throws(ProofError) {
    for (tag, wanted) in [
      (Tag.sopClassUID, "1.2.840.10008.5.1.4.1.1.66.\(isLabelMap ? 7 : 4)"), (.modality, "SEG"),
      (.imageType, "DERIVED\\PRIMARY"), (.photometricInterpretation, "MONOCHROME2"),
      (.segmentationType, segmentationType), (.burnedInAnnotation, "NO"),
      (.contentLabel, "SEGMENTATION"),
      (.contentCreatorName, "segmentd"),
      (.studyInstanceUID, object.stack.frames.first?.studyInstanceUID ?? ""),
      (.segmentsOverlap, isFractional ? "UNDEFINED" : sharesLabels ? "YES" : "NO"),
    ] { try written.expect(dataset.text(tag) == wanted, tag, "is not \(wanted)") }
    for (tag, wanted) in [
      (Tag.samplesPerPixel, 1), (.rows, object.labels.grid.rows),
      (.columns, object.labels.grid.columns), (.bitsAllocated, hasBytes ? 8 : 1),
      (.bitsStored, hasBytes ? 8 : 1), (.highBit, hasBytes ? 7 : 0), (.pixelRepresentation, 0),
      (.numberOfFrames, dataset.items(.perFrameFunctionalGroups).count),
    ] { try written.expect(dataset.integers(tag) == [wanted], tag, "is not \(wanted)") }
    try written.expect(
      dataset.integers(.pixelPaddingValue) == (isLabelMap ? [0] : []), .pixelPaddingValue,
      "is not that of the background")
    try written.expect(
      dataset.text(.segmentationFractionalType) == (isFractional ? "PROBABILITY" : nil),
      .segmentationFractionalType, "is not that of probabilities")
    try written.expect(
      dataset.integers(.maximumFractionalValue) == (isFractional ? [255] : []),
      .maximumFractionalValue, "is not 255")
  }

  private var sharesLabels: Bool {
    segments.indices.contains { a in
      segments[..<a].contains { !$0.labels.isDisjoint(with: segments[a].labels) }
    }
  }

  // MARK: Content

  private func proveContent() throws(ProofError) {
    let isNothing = !object.labels.labels.contains { $0 != 0 }
    let ending =
      (isNothing ? ", nothing found" : "")
      + (origin.remarks.isEmpty ? "" : " - unusual, see segments")
    let found = dataset.text(.contentDescription) ?? ""
    let parts = [origin.subject, "\(origin.modelName) \(origin.modelVersion)"]
    var beginning = Dataset()
    beginning.set(.contentDescription, .LO, String(found.dropLast(ending.count)))
    try written.expect(
      found.hasSuffix(ending)
        && written.says(
          parts.filter { !$0.isEmpty }.joined(separator: ", "), .contentDescription, in: beginning,
          length: 64 - ending.count),
      .contentDescription, "does not name the model and what is unusual")
  }

  private func proveLoss() throws(ProofError) {
    let isLossy = source.lossyFile != nil
    try written.expect(
      dataset.text(.lossyImageCompression) == (isLossy ? "01" : "00"), .lossyImageCompression,
      "is not what the source images say")
    guard let file = source.lossyFile else { return }
    let lossy: Dataset
    do { lossy = try DICOMFile(path: file).dataset } catch { throw .unreadable(error) }
    try written.expect(
      areSame(dataset.reals(.lossyImageCompressionRatio), lossy.reals(.lossyImageCompressionRatio)),
      .lossyImageCompressionRatio, "is not the source image's")
    try written.expect(
      dataset.texts(.lossyImageCompressionMethod) == lossy.texts(.lossyImageCompressionMethod),
      .lossyImageCompressionMethod, "is not the source image's")
  }

  // MARK: Place, dimensions and references

  private func proveDimensions() throws(ProofError) {
    let uid = DICOMUID.named("\(object.identifiers.sopInstanceUID)/dimensions")
    let organization = try written.item(.dimensionOrganizationSequence, of: dataset)
    try written.expect(
      organization.text(.dimensionOrganizationUID) == uid, .dimensionOrganizationUID,
      "is not the object's")
    let indices = dataset.items(.dimensionIndexSequence)
    var due = [(0x0020_0032, 0x0020_9113, "Image position")]
    if !isLabelMap { due.insert((0x0062_000B, 0x0062_000A, "Segment number"), at: 0) }
    try written.expect(
      indices.count == due.count, .dimensionIndexSequence,
      "does not have \(counted(due.count, "dimension"))")
    for (index, pointers) in zip(indices, due) {
      try written.expect(
        only: [
          .dimensionOrganizationUID, .dimensionIndexPointer, .functionalGroupPointer,
          .dimensionDescriptionLabel,
        ], in: index)
      try written.expect(
        index.text(.dimensionOrganizationUID) == uid, .dimensionOrganizationUID,
        "is not the object's")
      for (tag, pointer) in [
        (Tag.dimensionIndexPointer, pointers.0), (.functionalGroupPointer, pointers.1),
      ] {
        try written.expect(
          index.integers(tag) == [pointer], tag, "is not that of segments and positions")
      }
      try written.expect(
        index.text(.dimensionDescriptionLabel) == pointers.2, .dimensionDescriptionLabel,
        "is not \(pointers.2)")
    }
  }

  /// Each source series must be named with exactly its images that made the volume.
  private func proveReferences() throws(ProofError) {
    var wanted: [String: [String: String]] = [:]
    for frame in object.stack.frames {
      wanted[frame.seriesInstanceUID, default: [:]][frame.sopInstanceUID] = frame.sopClassUID
    }
    let series = dataset.items(.referencedSeriesSequence)
    try written.expect(
      series.count == wanted.count
        && Set(series.compactMap { $0.text(.seriesInstanceUID) }) == Set(wanted.keys),
      .referencedSeriesSequence, "does not name exactly the source series")
    for item in series {
      try written.expect(only: [.seriesInstanceUID, .referencedInstanceSequence], in: item)
      let images = wanted[item.text(.seriesInstanceUID) ?? ""] ?? [:]
      let instances = item.items(.referencedInstanceSequence)
      try written.expect(
        instances.count == images.count
          && Set(instances.compactMap { $0.text(.referencedSOPInstanceUID) }) == Set(images.keys),
        .referencedInstanceSequence, "does not name exactly the source images")
      for instance in instances {
        try written.expect(only: [.referencedSOPClassUID, .referencedSOPInstanceUID], in: instance)
        try written.expect(
          instance.text(.referencedSOPClassUID)
            == images[instance.text(.referencedSOPInstanceUID) ?? ""],
          .referencedSOPClassUID, "is not the source image's")
      }
    }
  }

  /// Every attribute must be accounted for.
  private func proveNothingElse() throws(ProofError) {
    let own: Set<Tag> = [
      .frameOfReferenceUID, .contentLabel, .contentDescription, .contentCreatorName, .imageType,
      .samplesPerPixel,
      .photometricInterpretation, .rows, .columns, .bitsAllocated, .bitsStored, .highBit,
      .pixelRepresentation, .numberOfFrames, .segmentationType, .segmentsOverlap,
      .burnedInAnnotation, .lossyImageCompression, .lossyImageCompressionRatio,
      .lossyImageCompressionMethod, .dimensionOrganizationSequence, .dimensionIndexSequence,
      .segmentSequence, .sharedFunctionalGroups, .perFrameFunctionalGroups,
      .referencedSeriesSequence, .pixelPaddingValue, .segmentationFractionalType,
      .maximumFractionalValue,
    ]
    let known = own.union(HeaderProof.tags).union(IdentityProof.texts).union(
      IdentityProof.sequences)
    if let tag = dataset.elements.keys.filter({ !known.contains($0) }).min() {
      throw written.differs(tag, "is not expected")
    }
    for tag in [Tag.lossyImageCompressionRatio, .lossyImageCompressionMethod]
    where source.lossyFile == nil {
      try written.expect(!dataset.contains(tag), tag, "is not expected")
    }
  }
}
