import DICOM
import Foundation
import Terminology
import Volumes
import Wording

/// The proof of the pixels: slice by slice, so that no second volume is in memory.
struct VoxelProof {
  private let written: WrittenObject
  private let labels: LabelVolume
  private let wanted: WantedFrames
  private let plane: Int
  private let pixels: NativePixels

  /// How many voxels differ, and the first of them.
  private struct Difference {
    var count = 0
    var first: (slice: Int, pixel: Int, written: UInt8, labels: UInt8)?
  }

  /// - Throws: ``ProofError`` where there are no pixels.
  init(
    _ written: WrittenObject, _ object: SegmentationObject, wanted: WantedFrames
  ) throws(ProofError) {
    guard let pixels = written.pixels else { throw written.differs(.pixelData, "is absent") }
    self.pixels = pixels
    self.written = written
    labels = object.labels
    self.wanted = wanted
    plane = labels.grid.rows * labels.grid.columns
  }

  /// - Throws: ``ProofError`` where a voxel differs, or there are more or fewer pixels than are due.
  func prove() throws(ProofError) {
    let bits = plane * wanted.frames.count
    let bytes = (bits + 7) / 8
    try written.expect(
      pixels.count == bytes + bytes % 2, .pixelData,
      "\(counted(pixels.count, "byte")) where \(counted(bytes + bytes % 2, "is", "are")) due")
    let reader: NativePixels.Reader
    do { reader = try pixels.open() } catch { throw .unreadable(error) }
    // Frames follow each other without a gap; what is behind the last one is padding.
    let end = Array(try read(reader, max(0, bytes - 1)..<pixels.count))
    let isClear =
      (bits % 8 == 0 || end.isEmpty || end[0] >> UInt8(bits % 8) == 0)
      && (bytes % 2 == 0 || end.last == 0)
    try written.expect(isClear, .pixelData, "has pixels in the padding")
    var difference = Difference()
    var framesOfSlice: [Int: [Int]] = [:]
    for (frame, place) in wanted.frames.enumerated() {
      framesOfSlice[place.slice, default: []].append(frame)
    }
    // Segments that may overlap are compared one by one.
    for group in groups {
      let due = labelsDue(group)
      for slice in 0..<labels.grid.slices {
        let frames = (framesOfSlice[slice] ?? []).filter {
          group.contains(wanted.frames[$0].segment)
        }
        try prove(slice, frames, due, reader, &difference)
      }
    }
    guard let first = difference.first else { return }
    throw .voxels(
      file: written.path, slice: first.slice, row: first.pixel / labels.grid.columns,
      column: first.pixel % labels.grid.columns, written: first.written, labels: first.labels,
      count: difference.count)
  }

  private var groups: [Range<Int>] {
    var seen: Set<UInt8> = []
    let isDisjoint = wanted.segments.allSatisfy { segment in
      defer { seen.formUnion(segment.labels) }
      return seen.isDisjoint(with: segment.labels)
    }
    return isDisjoint
      ? [0..<wanted.segments.count] : wanted.segments.indices.map { $0..<$0 + 1 }
  }

  /// The value of the segment that a voxel of each label has to be in, 0 for none.
  private func labelsDue(_ group: Range<Int>) -> [UInt8] {
    var due = [UInt8](repeating: 0, count: 256)
    for segment in wanted.segments[group] {
      for label in segment.labels { due[Int(label)] = segment.value }
    }
    return due
  }

  private func prove(
    _ slice: Int, _ frames: [Int], _ due: [UInt8], _ reader: NativePixels.Reader,
    _ difference: inout Difference
  ) throws(ProofError) {
    var found = [UInt8](repeating: 0, count: plane)
    for frame in frames {
      let first = frame * plane
      let bytes = try read(reader, first / 8..<(first + plane + 7) / 8)
      let value = wanted.segments[wanted.frames[frame].segment].value
      guard place(value, bytes, from: first % 8, in: &found) else {
        throw written.differs(.pixelData, "overlaps another segment", frame: frame)
      }
    }
    let start = slice * plane
    labels.labels.withUnsafeBufferPointer { labels in
      for pixel in 0..<plane where found[pixel] != due[Int(labels[start + pixel])] {
        difference.count += 1
        let here = (slice, pixel, found[pixel], due[Int(labels[start + pixel])])
        if difference.first.map({ ($0.slice, $0.pixel) > (slice, pixel) }) ?? true {
          difference.first = here
        }
      }
    }
  }

  /// Writes a value where the frame has a pixel.
  ///
  /// - Returns: whether nothing was there.
  private func place(
    _ value: UInt8, _ bytes: Data, from start: Int, in slice: inout [UInt8]
  ) -> Bool {
    bytes.withUnsafeBytes { bytes in
      slice.withUnsafeMutableBufferPointer { slice in
        var pixel = 0
        while pixel < slice.count {
          let bit = start + pixel
          let byte = bytes[bit / 8] >> UInt8(bit % 8)
          let count = min(8 - bit % 8, slice.count - pixel)
          // Most bytes are empty, and of the others most are full.
          if byte == 0xFF, count == 8 {
            let raw = UnsafeMutableRawBufferPointer(slice)
            guard raw.loadUnaligned(fromByteOffset: pixel, as: UInt64.self) == 0 else {
              return false
            }
            let eight = UInt64(value) &* 0x0101_0101_0101_0101
            raw.storeBytes(of: eight, toByteOffset: pixel, as: UInt64.self)
          } else if byte != 0 {
            for next in 0..<count where byte >> UInt8(next) & 1 != 0 {
              guard slice[pixel + next] == 0 else { return false }
              slice[pixel + next] = value
            }
          }
          pixel += count
        }
        return true
      }
    }
  }

  private func read(
    _ reader: NativePixels.Reader, _ part: Range<Int>
  ) throws(ProofError) -> Data {
    do { return try reader.read(part) } catch { throw .unreadable(error) }
  }
}
