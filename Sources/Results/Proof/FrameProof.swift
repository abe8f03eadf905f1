import DICOM
import Terminology
import Volumes
import Wording

/// The proof of the functional groups: that each frame is of the segment, at the place and from the image that
/// it has to be.
struct FrameProof {
  private let written: WrittenObject
  private let stack: SliceStack
  private let source: SourceRecord
  private let wanted: WantedFrames

  init(
    _ written: WrittenObject, _ object: SegmentationObject, source: SourceRecord,
    wanted: WantedFrames
  ) {
    self.written = written
    stack = object.stack
    self.source = source
    self.wanted = wanted
  }

  /// - Throws: ``ProofError`` at the first thing that differs.
  func prove() throws(ProofError) {
    try proveShared()
    let frames = written.dataset.items(.perFrameFunctionalGroups)
    try written.expect(
      frames.count == wanted.frames.count, .numberOfFrames,
      "\(counted(frames.count, "frame")) where \(counted(wanted.frames.count, "is", "are")) due")
    var ranks: [Int: Int] = [:]
    for slice in Set(wanted.frames.map(\.slice)).sorted() { ranks[slice] = ranks.count + 1 }
    for (index, frame) in frames.enumerated() {
      let (segment, slice) = wanted.frames[index]
      try prove(frame, at: index, segment: segment + 1, slice: slice, rank: ranks[slice] ?? 0)
    }
  }

  // MARK: Shared

  private func proveShared() throws(ProofError) {
    guard let first = stack.frames.first else { return }
    let shared = try written.item(.sharedFunctionalGroups, of: written.dataset)
    try written.expect(only: [.pixelMeasuresSequence, .planeOrientationSequence], in: shared)
    let orientation = try written.item(.planeOrientationSequence, of: shared)
    try written.expect(only: [.imageOrientation], in: orientation)
    try written.expect(
      isCopy(
        orientation.reals(.imageOrientation), .imageOrientation, of: first,
        assessed: first.imageOrientation), .imageOrientation, "is not the source's")
    let measures = try written.item(.pixelMeasuresSequence, of: shared)
    try written.expect(
      isCopy(
        measures.reals(.pixelSpacing), .pixelSpacing, of: first, assessed: first.pixelSpacing),
      .pixelSpacing, "is not the source's")
    let thickness = value(
      .sliceThickness, of: first, assessed: [first.sliceThickness].compactMap(\.self))
    let isThick = thickness.count == 1 && thickness[0] > 0
    try written.expect(
      isThick
        ? areSame(measures.reals(.sliceThickness), thickness)
        : isStep(measures.reals(.sliceThickness)), .sliceThickness, "is not the source's")
    let isEven = stack.sliceIndices == nil
    try written.expect(
      only: isEven
        ? [.pixelSpacing, .sliceThickness, .spacingBetweenSlices]
        : [.pixelSpacing, .sliceThickness],
      in: measures)
    if isEven {
      try written.expect(
        isStep(measures.reals(.spacingBetweenSlices)), .spacingBetweenSlices,
        "is not the step between the source images")
    }
  }

  /// Whether a number is the distance of neighbouring images along their normal.
  private func isStep(_ numbers: [Double]) -> Bool {
    guard numbers.count == 1, let first = stack.frames.first, let last = stack.frames.last else {
      return false
    }
    var due = stack.grid.affine.stepAlongNormal
    if stack.sliceIndices == nil, stack.frames.count > 1,
      first.imagePosition.count == 3, last.imagePosition.count == 3,
      first.imageOrientation.count == 6
    {
      let o = first.imageOrientation
      let normal = [
        o[1] * o[5] - o[2] * o[4], o[2] * o[3] - o[0] * o[5], o[0] * o[4] - o[1] * o[3],
      ]
      let way = zip(last.imagePosition, first.imagePosition).map { $0 - $1 }
      let length = zip(normal, normal).map { $0 * $1 }.reduce(0, +).squareRoot()
      due =
        abs(zip(way, normal).map { $0 * $1 }.reduce(0, +)) / length
        / Double(stack.frames.count - 1)
    }
    return abs(numbers[0] - due) <= 1e-4 * due
  }

  /// Numbers of an image as its file states them, or those that were read when the series was assessed,
  /// where frames of one file differ.
  private func value(_ tag: Tag, of image: ImageFrame, assessed: [Double]) -> [Double] {
    guard image.frameNumber == nil, image.mosaicTile == nil else { return assessed }
    return source.numbers(tag, of: image.file) ?? assessed
  }

  /// Whether numbers are those of the image's file, and those by which the series was assessed.
  private func isCopy(
    _ numbers: [Double], _ tag: Tag, of image: ImageFrame, assessed: [Double]
  ) -> Bool {
    areSame(numbers, value(tag, of: image, assessed: assessed)) && areSame(numbers, assessed)
  }

  // MARK: Frames

  private func prove(
    _ frame: Dataset, at index: Int, segment: Int, slice: Int, rank: Int
  ) throws(ProofError) {
    // Frames of a label map are of no segment of their own.
    let isOfSegment = segment > 0
    var groups: Set<Tag> = [
      .planePositionSequence, .frameContentSequence, .derivationImageSequence,
    ]
    if isOfSegment { groups.insert(.segmentIdentificationSequence) }
    try written.expect(only: groups, in: frame, frame: index)
    if isOfSegment {
      let identification = try written.item(
        .segmentIdentificationSequence, of: frame, frame: index)
      try written.expect(
        identification.integers(.referencedSegmentNumber) == [segment], .referencedSegmentNumber,
        "is not \(segment)", frame: index)
    }
    let content = try written.item(.frameContentSequence, of: frame, frame: index)
    try written.expect(only: [.dimensionIndexValues], in: content, frame: index)
    try written.expect(
      content.integers(.dimensionIndexValues) == (isOfSegment ? [segment, rank] : [rank]),
      .dimensionIndexValues, "is not that of the frame's segment and place", frame: index)
    let image = stack.frames[slice]
    try proveReference(frame, at: index, image)
    let place = try written.item(.planePositionSequence, of: frame, frame: index)
    try written.expect(only: [.imagePosition], in: place, frame: index)
    let position = place.reals(.imagePosition)
    // Of a tile it is computed, and written in sixteen characters.
    let isNear =
      position.count == 3 && image.imagePosition.count == 3
      && zip(position, image.imagePosition).allSatisfy { abs($0 - $1) < 1e-4 }
    try written.expect(
      image.mosaicTile == nil
        ? isCopy(position, .imagePosition, of: image, assessed: image.imagePosition) : isNear,
      .imagePosition, "is not the source image's", frame: index)
  }

  private func proveReference(
    _ frame: Dataset, at index: Int, _ image: ImageFrame
  ) throws(ProofError) {
    let derivation = try written.item(.derivationImageSequence, of: frame, frame: index)
    try written.expect(
      only: [.derivationCodeSequence, .sourceImageSequence], in: derivation, frame: index)
    try written.expect(
      CodedConcept(value: "113076", scheme: "DCM", meaning: "Segmentation"),
      .derivationCodeSequence, in: derivation, frame: index)
    let reference = try written.item(.sourceImageSequence, of: derivation, frame: index)
    for (tag, uid) in [
      (Tag.referencedSOPClassUID, image.sopClassUID),
      (.referencedSOPInstanceUID, image.sopInstanceUID),
    ] {
      try written.expect(
        reference.text(tag) == uid, tag, "is not the source image's", frame: index)
    }
    try written.expect(
      reference.integers(.referencedFrameNumber) == [image.frameNumber].compactMap(\.self),
      .referencedFrameNumber, "is not the source image's", frame: index)
    let isPreserved = image.mosaicTile == nil ? "YES" : "NO"
    try written.expect(
      reference.text(.spatialLocationsPreserved) == isPreserved, .spatialLocationsPreserved,
      "is not \(isPreserved)", frame: index)
    try written.expect(
      CodedConcept(
        value: "121322", scheme: "DCM", meaning: "Source image for image processing operation"),
      .purposeOfReferenceCodeSequence, in: reference, frame: index)
    var tags: Set<Tag> = [
      .referencedSOPClassUID, .referencedSOPInstanceUID, .purposeOfReferenceCodeSequence,
      .spatialLocationsPreserved,
    ]
    if image.frameNumber != nil { tags.insert(.referencedFrameNumber) }
    try written.expect(only: tags, in: reference, frame: index)
  }
}
