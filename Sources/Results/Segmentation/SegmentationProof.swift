import DICOM
import Terminology
import Volumes

/// The proof of a segmentation object: it is read back from disk and compared with the labels it
/// was made from, voxel by voxel, on the planes of the source images, and with the identity that
/// their files state.
///
/// It shares no code with the writer but the reading of files.
public enum SegmentationProof {
  /// - Parameters:
  ///   - path: the written object.
  ///   - labels: the labels on the source grid, order z, y, x.
  ///   - stack: the source images; positions, orientation and references must equal theirs.
  ///   - segments: what the labels mean.
  ///   - identifiers: of the object.
  ///   - replaces: the series of results that it must name as replaced; nil for none.
  /// - Throws: ``ProofError`` at the first thing that differs.
  public static func prove(
    _ path: String, labels: LabelVolume, stack: SliceStack, segments: [SegmentDescription],
    identifiers: ResultIdentifiers, replaces: ReplacedSeries? = nil
  ) throws(ProofError) {
    try IdentityProof(path: path, stack: stack).prove()
    let reading = try SegmentationReading(path)
    try reading.checkObject(stack)
    try reading.checkIdentifiers(identifiers, replaces: replaces)
    let isPresent = LabelVolume.present(in: labels.labels[...])
    let present = Set(UInt8.min...UInt8.max).filter { isPresent[Int($0)] }
    let numbered = try reading.segments(among: segments, present: present)
    if segments.allSatisfy({ $0.labels == [$0.value] }) {
      let written = try reading.labelVolume(
        stack, labelOfSegment: numbered.mapValues(\.value), segmentsOverlap: "NO")
      return try compare(written, labels, path: path)
    }
    // Segments of several labels may overlap: each is compared by itself.
    for (number, segment) in numbered.sorted(by: { $0.key < $1.key }) {
      let written = try reading.labelVolume(
        stack, labelOfSegment: numbered.mapValues { _ in 1 }, only: number,
        segmentsOverlap: Array(numbered.values).canOverlap ? "YES" : "NO")
      var expected = labels
      expected.labels = labels.labels.map { segment.labels.contains($0) ? 1 : 0 }
      try compare(written, expected, path: path)
    }
  }

  private static func compare(
    _ written: [UInt8], _ labels: LabelVolume, path: String
  ) throws(ProofError) {
    guard written != labels.labels else { return }
    guard written.count == labels.labels.count else {
      throw .differs(
        file: path, tag: .pixelData, frame: nil,
        reason: "\(written.count) voxels for \(labels.labels.count) labels")
    }
    let differing = written.indices.filter { written[$0] != labels.labels[$0] }
    let first = differing[0]
    let columns = labels.grid.columns
    throw .voxels(
      file: path, slice: first / (labels.grid.rows * columns),
      row: first / columns % labels.grid.rows,
      column: first % columns, written: written[first], labels: labels.labels[first],
      count: differing.count)
  }
}
