import Terminology
import Volumes

/// Which frames a label volume needs: one for each segment and slice where the segment has a voxel,
/// segment by segment; of a label map one for each slice, as programs read it as a volume; of a fractional
/// segmentation one for each segment that has a voxel, and slice where it is probable at all.
struct SegmentFrames {
  struct Frame {
    /// From 1; nil for all segments.
    var segmentNumber: Int?
    /// Whether each label's voxels belong to the segment, by label.
    var holds: [Bool]
    /// Slice index in the grid.
    var slice: Int
  }

  var frames: [Frame] = []
  /// The segments of the object, in the order of their numbers.
  var segments: [SegmentDescription] = []
  /// The number of the segment of each label, by label; 0 for none.
  var numbers = [UInt8](repeating: 0, count: 256)
  /// Slices that have any frame, ascending.
  var slices: [Int] = []
  /// Whether nothing was found, and there are frames that show it.
  var isOfNothing = false

  /// - Parameters:
  ///   - labels: on the source images.
  ///   - segments: what the labels mean.
  ///   - held: the segments that the object may hold; those without a voxel are left out.
  ///   - options: which empty frames there are.
  ///   - form: whether a frame is of one segment or of all.
  ///   - probabilities: of a fractional segmentation.
  /// - Throws: ``SegmentationError/unknownLabel(value:)``; ``SegmentationError/invalidSegment(name:reason:)``
  ///   where segments of a label map overlap.
  init(
    _ labels: LabelVolume, segments: [SegmentDescription], held: [SegmentDescription],
    options: ResultOptions, form: SegmentationForm = .binary,
    probabilities: ProbabilityVolume? = nil
  ) throws(SegmentationError) {
    let isPresent = labels.presentBySlice
    let known = segments.reduce(into: Set<UInt8>()) { $0.formUnion($1.labels) }
    for label in UInt8(1)...255 where !known.contains(label) {
      if isPresent.contains(where: { $0[Int(label)] }) { throw .unknownLabel(value: label) }
    }
    let isEmpty = !isPresent.contains { $0[1...].contains(true) }
    for segment in held {
      var present = isPresent.indices.filter { segment.hasVoxel(in: isPresent[$0]) }
      if isEmpty, options.nothingFound == .segmentation {
        present = Array(isPresent.indices.prefix(1))
      }
      if form == .fractional, let probabilities, !present.isEmpty {
        present = isPresent.indices.filter { segment.isProbable(in: $0, of: probabilities) }
      }
      guard !present.isEmpty else { continue }
      if options.keepsEmptyFrames { present = Array(isPresent.indices) }
      self.segments.append(segment)
      let number = self.segments.count
      let holds = (0...255).map { segment.labels.contains(UInt8($0)) }
      frames += present.map { Frame(segmentNumber: number, holds: holds, slice: $0) }
      for label in segment.labels { numbers[Int(label)] = UInt8(clamping: number) }
    }
    slices = Set(frames.map(\.slice)).sorted()
    if form == .labelMap, !frames.isEmpty {
      guard !self.segments.canOverlap else {
        throw .invalidSegment(
          name: "", reason: "a label map has no place for segments that overlap")
      }
      slices = Array(isPresent.indices)
      frames = slices.map { Frame(segmentNumber: nil, holds: [], slice: $0) }
    }
    isOfNothing = isEmpty
  }
}

extension SegmentDescription {
  /// Whether any of the segment's labels is present.
  func hasVoxel(in isPresent: [Bool]) -> Bool { labels.contains { isPresent[Int($0)] } }
}

extension SegmentDescription {
  /// Whether any of the segment's labels is probable in a slice.
  fileprivate func isProbable(in slice: Int, of probabilities: ProbabilityVolume) -> Bool {
    labels.contains {
      $0 < probabilities.classes && !probabilities[class: Int($0), slice: slice].isEmpty
    }
  }
}

extension LabelVolume {
  /// Whether each label occurs, by slice and label.
  var presentBySlice: [[Bool]] {
    let size = grid.rows * grid.columns
    return labels.withUnsafeBytes { labels in
      (0..<grid.slices).map {
        Self.present(in: UnsafeRawBufferPointer(rebasing: labels[$0 * size..<($0 + 1) * size]))
      }
    }
  }

  /// Whether each label occurs, by label.
  private static func present(in labels: UnsafeRawBufferPointer) -> [Bool] {
    var isPresent = [Bool](repeating: false, count: 256)
    isPresent.withUnsafeMutableBufferPointer { isPresent in
      // Most voxels are as their neighbours: eight of them that are as the eight before say nothing new.
      var (pixel, before): (Int, UInt64?) = (0, nil)
      while pixel + 8 <= labels.count {
        let eight = labels.loadUnaligned(fromByteOffset: pixel, as: UInt64.self)
        if eight != before {
          for label in labels[pixel..<pixel + 8] { isPresent[Int(label)] = true }
          before = eight
        }
        pixel += 8
      }
      for label in labels[pixel...] { isPresent[Int(label)] = true }
    }
    return isPresent
  }
}
