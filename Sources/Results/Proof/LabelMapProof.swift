import DICOM
import Foundation
import Terminology
import Volumes

/// The proof of the pixels of a label map: each is the number of the segment that its label is of.
struct LabelMapProof {
  private let written: WrittenObject
  private let labels: LabelVolume
  private let wanted: WantedFrames
  private let pixels: NativePixels

  /// - Throws: ``ProofError`` where there are no pixels.
  init(
    _ written: WrittenObject, _ object: SegmentationObject, wanted: WantedFrames
  ) throws(ProofError) {
    guard let pixels = written.pixels else { throw written.differs(.pixelData, "is absent") }
    self.pixels = pixels
    self.written = written
    labels = object.labels
    self.wanted = wanted
  }

  /// - Throws: ``ProofError`` where a voxel differs, or there are more or fewer pixels than are due.
  func prove() throws(ProofError) {
    let plane = labels.grid.rows * labels.grid.columns
    let bytes = plane * wanted.frames.count
    try written.expect(
      pixels.count == bytes + bytes % 2, .pixelData,
      "\(pixels.count) bytes where \(bytes + bytes % 2) are due")
    let reader: NativePixels.Reader
    do { reader = try pixels.open() } catch { throw .unreadable(error) }
    let due = try numbersDue()
    var (count, first): (Int, (slice: Int, pixel: Int, written: UInt8, labels: UInt8)?) = (0, nil)
    for (frame, place) in wanted.frames.enumerated() {
      let slice = place.slice
      let found: Data
      do { found = try reader.read(frame * plane..<(frame + 1) * plane) } catch {
        throw .unreadable(error)
      }
      labels.labels.withUnsafeBufferPointer { labels in
        found.withUnsafeBytes { (found: UnsafeRawBufferPointer) in
          for pixel in 0..<plane {
            let wanted = due[Int(labels[slice * plane + pixel])]
            guard found[pixel] != wanted else { continue }
            count += 1
            if first == nil { first = (slice, pixel, found[pixel], wanted) }
          }
        }
      }
    }
    if bytes % 2 == 1 {
      let padding: Data
      do { padding = try reader.read(bytes..<bytes + 1) } catch { throw .unreadable(error) }
      try written.expect(padding.first == 0, .pixelData, "has pixels in the padding")
    }
    guard let first else { return }
    throw .voxels(
      file: written.path, slice: first.slice, row: first.pixel / labels.grid.columns,
      column: first.pixel % labels.grid.columns, written: first.written, labels: first.labels,
      count: count)
  }

  /// The number that a pixel of each label has to have.
  private func numbersDue() throws(ProofError) -> [UInt8] {
    var due = [UInt8](repeating: 0, count: 256)
    for (index, segment) in wanted.segments.enumerated() {
      for label in segment.labels {
        try written.expect(
          due[Int(label)] == 0 && index < 255, .segmentSequence, "has segments that overlap")
        due[Int(label)] = UInt8(index + 1)
      }
    }
    return due
  }
}
