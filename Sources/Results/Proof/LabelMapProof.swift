import DICOM
import Terminology
import Volumes

/// The proof of the pixels of a label map: each is the number of the segment that its label is of.
struct LabelMapProof {
  private let written: WrittenObject
  private let frames: ByteFrameProof
  private let labels: LabelVolume
  private let segments: [SegmentDescription]

  /// - Throws: ``ProofError`` where there are no pixels.
  init(
    _ written: WrittenObject, _ object: SegmentationObject, wanted: WantedFrames
  ) throws(ProofError) {
    frames = try ByteFrameProof(written, on: object.labels.grid, wanted: wanted)
    self.written = written
    labels = object.labels
    segments = wanted.segments
  }

  /// - Throws: ``ProofError`` where a voxel differs, or there are more or fewer pixels than are due.
  func prove() throws(ProofError) {
    let numbers = try numbersDue()
    let plane = labels.grid.rows * labels.grid.columns
    try frames.prove { _, slice in
      labels.labels[slice * plane..<(slice + 1) * plane].map { numbers[Int($0)] }
    }
  }

  /// The number that a pixel of each label has to have.
  private func numbersDue() throws(ProofError) -> [UInt8] {
    var due = [UInt8](repeating: 0, count: 256)
    for (index, segment) in segments.enumerated() {
      for label in segment.labels {
        try written.expect(
          due[Int(label)] == 0 && index < 255, .segmentSequence, "has segments that overlap")
        due[Int(label)] = UInt8(index + 1)
      }
    }
    return due
  }
}
