import DICOM
import Terminology
import Volumes

/// A segmentation object read back from disk, and the checks that need no labels.
struct SegmentationReading {
  let path: String
  private let dataset: Dataset
  private let pixels: [UInt8]
  private let frames: [Dataset]

  init(_ path: String) throws(ProofError) {
    self.path = path
    do {
      (dataset, pixels) = try DICOMFile.withNativePixels(path: path)
    } catch {
      throw .unreadable(error)
    }
    frames = dataset.items(.perFrameFunctionalGroups)
  }

  /// Checks everything that is not a voxel: kind, study, size, orientation, spacing.
  func checkObject(_ stack: SliceStack) throws(ProofError) {
    guard let source = stack.frames.first else { return }
    for (tag, wanted) in [
      (Tag.sopClassUID, SegmentationStorage.sopClassUID), (.modality, "SEG"),
      (.segmentationType, "BINARY"), (.studyInstanceUID, source.studyInstanceUID),
    ] { try expect(dataset.text(tag) == wanted, tag, "is not \(wanted)") }
    for (tag, wanted) in [
      (Tag.rows, stack.grid.rows), (.columns, stack.grid.columns), (.bitsAllocated, 1),
      (.bitsStored, 1), (.numberOfFrames, frames.count),
    ] { try expect(dataset.integer(tag) == wanted, tag, "is not \(wanted)") }
    try checkPlace(stack, source)
    try checkReferences(stack)
  }

  /// The object must have its own UIDs, and name the series whose place it takes, and no other.
  func checkIdentifiers(
    _ identifiers: ResultIdentifiers, replaces: ReplacedSeries?
  ) throws(ProofError) {
    for (tag, uid) in [
      (Tag.seriesInstanceUID, identifiers.seriesInstanceUID),
      (.sopInstanceUID, identifiers.sopInstanceUID),
    ] { try expect(dataset.text(tag) == uid, tag, "is not \(uid)") }
    let related = dataset.items(.relatedSeriesSequence)
    try expect(
      related.map { $0.text(.seriesInstanceUID) } == [replaces].compactMap { $0?.seriesInstanceUID }
        && related.map { $0.text(.studyInstanceUID) }
          == [replaces].compactMap { $0?.studyInstanceUID },
      .relatedSeriesSequence, "does not name exactly the series that is replaced")
  }

  /// Each source series must be named with exactly its images that made the volume.
  private func checkReferences(_ stack: SliceStack) throws(ProofError) {
    var wanted: [String: Set<String>] = [:]
    for frame in stack.frames {
      wanted[frame.seriesInstanceUID, default: []].insert(frame.sopInstanceUID)
    }
    let series = dataset.items(.referencedSeriesSequence)
    try expect(
      series.count == wanted.count
        && Set(series.compactMap { $0.text(.seriesInstanceUID) }) == Set(wanted.keys),
      .referencedSeriesSequence, "does not name exactly the source series")
    for item in series {
      let referenced = item.items(.referencedInstanceSequence)
        .compactMap { $0.text(.referencedSOPInstanceUID) }
      try expect(
        Set(referenced) == wanted[item.text(.seriesInstanceUID) ?? ""],
        .referencedInstanceSequence, "does not name exactly the source images")
    }
  }

  /// The place in the patient must be the source's, or absent where the source has not one.
  private func checkPlace(_ stack: SliceStack, _ source: ImageFrame) throws(ProofError) {
    let shared = dataset.items(.sharedFunctionalGroups).first ?? Dataset()
    guard stack.hasFrameOfReference else {
      for tag in [Tag.planeOrientationSequence, .pixelMeasuresSequence] {
        try expect(!shared.contains(tag), tag, "is there without a frame of reference")
      }
      return try expect(
        !dataset.contains(.frameOfReferenceUID), .frameOfReferenceUID, "is not the source's")
    }
    try expect(
      dataset.text(.frameOfReferenceUID) == source.frameOfReferenceUID, .frameOfReferenceUID,
      "is not the source's")
    let orientation = shared.items(.planeOrientationSequence).first?.reals(.imageOrientation)
    try expect(orientation == source.imageOrientation, .imageOrientation, "is not the source's")
    let spacing = shared.items(.pixelMeasuresSequence).first?.reals(.pixelSpacing)
    try expect(spacing == source.pixelSpacing, .pixelSpacing, "is not the source's")
  }

  /// The segment of each segment number, found by the segments' codes and names.
  func segments(
    among segments: [SegmentDescription], present: Set<UInt8>
  ) throws(ProofError) -> [Int: SegmentDescription] {
    let wanted = segments.filter { !present.isDisjoint(with: $0.labels) }
    let items = dataset.items(.segmentSequence)
    try expect(
      items.count == wanted.count, .segmentSequence, "\(items.count) segments for \(wanted.count)")
    var numbered: [Int: SegmentDescription] = [:]
    for (index, pair) in zip(items, wanted).enumerated() {
      let (item, segment) = pair
      try expect(item.integer(.segmentNumber) == index + 1, .segmentNumber, "is not \(index + 1)")
      let type = item.items(.segmentedPropertyTypeCodeSequence).first
      let modifier = type?.items(.segmentedPropertyTypeModifierCodeSequence).first
      try expect(
        type?.text(.codeValue) == segment.type.value
          && modifier?.text(.codeValue) == segment.modifier?.value,
        .segmentedPropertyTypeCodeSequence, "is not that of \(segment.name)")
      numbered[index + 1] = segment
    }
    return numbered
  }

  /// The labels of the frames on the grid of the stack.
  ///
  /// - Parameters:
  ///   - stack: the source images.
  ///   - labelOfSegment: the label of each segment by Segment Number (0062,0004).
  ///   - only: the segment whose frames are read; nil for those of all.
  ///   - segmentsOverlap: what Segments Overlap (0062,0013) must say.
  func labelVolume(
    _ stack: SliceStack, labelOfSegment: [Int: UInt8], only: Int? = nil, segmentsOverlap: String
  ) throws(ProofError) -> [UInt8] {
    try expect(
      dataset.text(.segmentsOverlap) == segmentsOverlap, .segmentsOverlap,
      "is not \(segmentsOverlap)")
    let frameSize = stack.grid.rows * stack.grid.columns
    let bytes = (frameSize * frames.count + 7) / 8
    try expect(
      pixels.count == bytes + bytes % 2, .pixelData, "\(pixels.count) bytes where \(bytes) are due")
    var slicesOf: [String: [Int]] = [:]
    for (slice, image) in stack.frames.enumerated() {
      slicesOf["\(image.sopInstanceUID)/\(image.frameNumber ?? 0)", default: []].append(slice)
    }
    var volume = [UInt8](repeating: 0, count: stack.sourceGrid.voxelCount)
    for (index, frame) in frames.enumerated() {
      let number = frame.items(.segmentIdentificationSequence).first?
        .integer(.referencedSegmentNumber)
      guard let number, let label = labelOfSegment[number] else {
        throw differs(.referencedSegmentNumber, "names no segment", frame: index)
      }
      guard only == nil || number == only else { continue }
      let slice = try self.slice(of: frame, at: index, slicesOf, stack)
      guard place(label, frame: index, in: slice * frameSize..<(slice + 1) * frameSize, &volume)
      else { throw differs(.pixelData, "overlaps another segment", frame: index) }
    }
    return volume
  }

  /// Writes the label where the frame has a pixel.
  ///
  /// - Returns: whether nothing lay there.
  private func place(
    _ label: UInt8, frame: Int, in voxels: Range<Int>, _ volume: inout [UInt8]
  ) -> Bool {
    let first = frame * voxels.count
    return pixels.withUnsafeBufferPointer { pixels in
      volume.withUnsafeMutableBufferPointer { volume in
        var pixel = 0
        while pixel < voxels.count {
          let bit = first + pixel
          let byte = pixels[bit / 8] >> UInt8(bit % 8)
          let end = min(8 - bit % 8, voxels.count - pixel)
          // Most bytes are empty.
          if byte != 0 {
            for next in 0..<end where byte >> UInt8(next) & 1 != 0 {
              let voxel = voxels.lowerBound + pixel + next
              guard volume[voxel] == 0 else { return false }
              volume[voxel] = label
            }
          }
          pixel += end
        }
        return true
      }
    }
  }

  /// The slice a frame refers to, which must have the frame's position.
  private func slice(
    of frame: Dataset, at index: Int, _ slicesOf: [String: [Int]], _ stack: SliceStack
  ) throws(ProofError) -> Int {
    let reference = frame.items(.derivationImageSequence).first?.items(.sourceImageSequence).first
    let uid = reference?.text(.referencedSOPInstanceUID) ?? ""
    let number = reference?.integer(.referencedFrameNumber) ?? 0
    let position = frame.items(.planePositionSequence).first?.reals(.imagePosition)
    // Tiles of one mosaic are told apart by their places alone.
    let candidates = slicesOf["\(uid)/\(number)"] ?? []
    let slice =
      candidates.count < 2
      ? candidates.first
      : candidates.first { isNear(position ?? [], stack.frames[$0].imagePosition) }
    guard let slice else {
      throw differs(.sourceImageSequence, "names no image of the source", frame: index)
    }
    let image = stack.frames[slice]
    guard reference?.text(.referencedSOPClassUID) == image.sopClassUID else {
      throw differs(.referencedSOPClassUID, "is not the source image's", frame: index)
    }
    let isInPlace =
      !stack.hasFrameOfReference
      ? position == nil
      : image.mosaicTile == nil
        ? position == image.imagePosition : isNear(position ?? [], image.imagePosition)
    guard isInPlace else {
      throw differs(.imagePosition, "is not the source image's", frame: index)
    }
    return slice
  }

  /// Whether a computed position is the one that was written in sixteen characters.
  private func isNear(_ a: [Double], _ b: [Double]) -> Bool {
    a.count == 3 && b.count == 3 && zip(a, b).allSatisfy { abs($0 - $1) < 1e-4 }
  }

  private func expect(
    _ holds: Bool, _ tag: Tag, _ reason: String
  ) throws(ProofError) {
    if !holds { throw differs(tag, reason, frame: nil) }
  }

  private func differs(_ tag: Tag, _ reason: String, frame: Int?) -> ProofError {
    .differs(file: path, tag: tag, frame: frame.map { $0 + 1 }, reason: reason)
  }
}
