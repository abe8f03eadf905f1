import DICOM
import Terminology
import Volumes

/// The proof of the pixels of a fractional segmentation: each is how probable the labels of its segment are,
/// in 255ths.
struct FractionProof {
  private let frames: ByteFrameProof
  private let probabilities: ProbabilityVolume
  private let segments: [SegmentDescription]

  /// - Throws: ``ProofError`` where there are no pixels, or no probabilities.
  init(
    _ written: WrittenObject, _ object: SegmentationObject, wanted: WantedFrames
  ) throws(ProofError) {
    guard let probabilities = object.probabilities else {
      throw written.differs(.segmentationType, "is FRACTIONAL without probabilities")
    }
    frames = try ByteFrameProof(written, on: probabilities.grid, wanted: wanted)
    self.probabilities = probabilities
    segments = wanted.segments
  }

  /// - Throws: ``ProofError`` where a value differs, or there are more or fewer pixels than are due.
  func prove() throws(ProofError) {
    try frames.prove { valuesDue(segments[$0], slice: $1) }
  }

  private func valuesDue(_ segment: SegmentDescription, slice: Int) -> [UInt8] {
    var sums = [UInt16](repeating: 0, count: probabilities.grid.rows * probabilities.grid.columns)
    for label in segment.labels where Int(label) < probabilities.classes {
      let values = probabilities[class: Int(label), slice: slice]
      for (pixel, value) in values.enumerated() { sums[pixel] += UInt16(value) }
    }
    return sums.map { UInt8(min($0, 255)) }
  }
}
