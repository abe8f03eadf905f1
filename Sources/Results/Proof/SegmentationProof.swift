import DICOM
import Terminology
import Volumes

/// The proof of a segmentation object: it is read back from disk and compared, attribute by attribute, frame
/// by frame and voxel by voxel, with the labels and the model that it was made from and with the files of the
/// source images, which are read anew.
///
/// It shares no code with the writer but the reading of files. An attribute that is not accounted for is a
/// difference too.
struct SegmentationProof {
  private let object: SegmentationObject
  private let path: String

  init(_ object: SegmentationObject, path: String) {
    self.object = object
    self.path = path
  }

  /// - Throws: ``ProofError`` at the first thing that differs.
  func prove() throws(ProofError) {
    let written = try WrittenObject(path)
    try written.proveFileMetaInformation()
    try ModelProof(path, object.origin).prove(
      object.segments, are: object.form == .labelMap ? .disjoint : .held, with: object.held)
    let source = try IdentityProof(written, stack: object.stack).prove()
    let wanted = WantedFrames(object)
    try AttributeProof(written, object, source: source, segments: wanted.segments).prove()
    try SegmentProof(written, object, segments: wanted.segments).prove()
    try FrameProof(written, object, source: source, wanted: wanted).prove()
    switch object.form {
    case .binary: try VoxelProof(written, object, wanted: wanted).prove()
    case .labelMap: try LabelMapProof(written, object, wanted: wanted).prove()
    case .fractional: try FractionProof(written, object, wanted: wanted).prove()
    }
  }
}

/// The segments and frames that an object must have, in their order.
struct WantedFrames {
  /// Those with a number, the first one 1.
  let segments: [SegmentDescription]
  /// Index of the segment and slice of each frame; of a label map each slice once, and no segment.
  let frames: [(segment: Int, slice: Int)]

  /// - Parameters:
  ///   - object: which has the frames.
  ///   - held: the segments that have some; nil for those that the object holds.
  init(_ object: SegmentationObject, holding held: [SegmentDescription]? = nil) {
    let labels = object.labels
    let plane = labels.grid.rows * labels.grid.columns
    var seen = [[Bool]](
      repeating: [Bool](repeating: false, count: 256), count: labels.grid.slices)
    labels.labels.withUnsafeBufferPointer { voxels in
      for slice in seen.indices {
        seen[slice].withUnsafeMutableBufferPointer { seen in
          for voxel in voxels[slice * plane..<(slice + 1) * plane] { seen[Int(voxel)] = true }
        }
      }
    }
    let isNothing = seen.allSatisfy { !$0.dropFirst().contains(true) }
    var segments: [SegmentDescription] = []
    var frames: [(segment: Int, slice: Int)] = []
    for segment in held ?? object.held {
      var slices = seen.indices.filter { slice in
        segment.labels.contains { seen[slice][Int($0)] }
      }
      if slices.isEmpty, isNothing, object.options.nothingFound == .segmentation { slices = [0] }
      if object.form == .fractional {
        slices = slices.isEmpty ? [] : Self.probableSlices(of: segment, object)
      }
      if slices.isEmpty { continue }
      if object.options.keepsEmptyFrames { slices = Array(seen.indices) }
      frames += slices.map { (segments.count, $0) }
      segments.append(segment)
    }
    self.segments = segments
    let isLabelMap = object.form == .labelMap
    self.frames = isLabelMap && !frames.isEmpty ? seen.indices.map { (-1, $0) } : frames
  }

  /// Where a segment with a voxel is probable at all.
  private static func probableSlices(
    of segment: SegmentDescription, _ object: SegmentationObject
  ) -> [Int] {
    guard let probabilities = object.probabilities else { return [] }
    var slices: Set<Int> = []
    for label in segment.labels where Int(label) < probabilities.classes {
      for slice in 0..<probabilities.grid.slices
      where probabilities[class: Int(label), slice: slice].contains(where: { $0 != 0 }) {
        slices.insert(slice)
      }
    }
    return slices.sorted()
  }
}
