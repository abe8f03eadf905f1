import DICOM
import Foundation
import Volumes
import Wording

/// The proof of pixels of a byte each, as of label maps and fractional segmentations: frame by frame, so that no
/// second volume is in memory.
struct ByteFrameProof {
  private let written: WrittenObject
  private let wanted: WantedFrames
  private let grid: VolumeGrid
  private let pixels: NativePixels

  /// - Throws: ``ProofError`` where there are no pixels.
  init(
    _ written: WrittenObject, on grid: VolumeGrid, wanted: WantedFrames
  ) throws(ProofError) {
    guard let pixels = written.pixels else { throw written.differs(.pixelData, "is absent") }
    self.written = written
    self.wanted = wanted
    self.grid = grid
    self.pixels = pixels
  }

  /// - Parameter due: the values that all pixels of a frame have to have, by its segment and slice.
  /// - Throws: ``ProofError`` where a value differs, or there are more or fewer pixels than are due.
  func prove(_ due: (_ segment: Int, _ slice: Int) -> [UInt8]) throws(ProofError) {
    let plane = grid.rows * grid.columns
    let bytes = plane * wanted.frames.count
    try written.expect(
      pixels.count == bytes + bytes % 2, .pixelData,
      "\(counted(pixels.count, "byte")) where \(counted(bytes + bytes % 2, "is", "are")) due")
    let reader: NativePixels.Reader
    do { reader = try pixels.open() } catch { throw .unreadable(error) }
    var (count, first): (Int, (slice: Int, pixel: Int, written: UInt8, due: UInt8)?) = (0, nil)
    for (frame, place) in wanted.frames.enumerated() {
      let found: Data
      do { found = try reader.read(frame * plane..<(frame + 1) * plane) } catch {
        throw .unreadable(error)
      }
      let values = due(place.segment, place.slice)
      found.withUnsafeBytes { (found: UnsafeRawBufferPointer) in
        for pixel in 0..<plane where found[pixel] != values[pixel] {
          count += 1
          if first == nil { first = (place.slice, pixel, found[pixel], values[pixel]) }
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
      file: written.path, slice: first.slice, row: first.pixel / grid.columns,
      column: first.pixel % grid.columns, written: first.written, labels: first.due, count: count)
  }
}
