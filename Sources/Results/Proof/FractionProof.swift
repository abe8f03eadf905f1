import DICOM
import Foundation
import Terminology
import Volumes

/// The proof of the pixels of a fractional segmentation: each is how probable the labels of its segment are,
/// in 255ths.
struct FractionProof {
  private let written: WrittenObject
  private let probabilities: ProbabilityVolume
  private let wanted: WantedFrames
  private let pixels: NativePixels

  /// - Throws: ``ProofError`` where there are no pixels, or no probabilities.
  init(
    _ written: WrittenObject, _ object: SegmentationObject, wanted: WantedFrames
  ) throws(ProofError) {
    guard let pixels = written.pixels else { throw written.differs(.pixelData, "is absent") }
    guard let probabilities = object.probabilities else {
      throw written.differs(.segmentationType, "is FRACTIONAL without probabilities")
    }
    self.pixels = pixels
    self.probabilities = probabilities
    self.written = written
    self.wanted = wanted
  }

  /// - Throws: ``ProofError`` where a value differs, or there are more or fewer pixels than are due.
  func prove() throws(ProofError) {
    let plane = probabilities.grid.rows * probabilities.grid.columns
    let bytes = plane * wanted.frames.count
    try written.expect(
      pixels.count == bytes + bytes % 2, .pixelData,
      "\(pixels.count) bytes where \(bytes + bytes % 2) are due")
    let reader: NativePixels.Reader
    do { reader = try pixels.open() } catch { throw .unreadable(error) }
    var (count, first): (Int, (slice: Int, pixel: Int, written: UInt8, due: UInt8)?) = (0, nil)
    for (frame, place) in wanted.frames.enumerated() {
      let found: Data
      do { found = try reader.read(frame * plane..<(frame + 1) * plane) } catch {
        throw .unreadable(error)
      }
      let due = valuesDue(wanted.segments[place.segment], slice: place.slice, count: plane)
      found.withUnsafeBytes { (found: UnsafeRawBufferPointer) in
        for pixel in 0..<plane where found[pixel] != due[pixel] {
          count += 1
          if first == nil { first = (place.slice, pixel, found[pixel], due[pixel]) }
        }
      }
    }
    if bytes % 2 == 1 {
      let padding: Data
      do { padding = try reader.read(bytes..<bytes + 1) } catch { throw .unreadable(error) }
      try written.expect(padding.first == 0, .pixelData, "has pixels in the padding")
    }
    guard let first else { return }
    let columns = probabilities.grid.columns
    throw .voxels(
      file: written.path, slice: first.slice, row: first.pixel / columns,
      column: first.pixel % columns, written: first.written, labels: first.due, count: count)
  }

  private func valuesDue(_ segment: SegmentDescription, slice: Int, count: Int) -> [UInt8] {
    var sums = [UInt16](repeating: 0, count: count)
    for label in segment.labels where Int(label) < probabilities.classes {
      let values = probabilities[class: Int(label), slice: slice]
      for (pixel, value) in values.enumerated() { sums[pixel] += UInt16(value) }
    }
    return sums.map { UInt8(min($0, 255)) }
  }
}
