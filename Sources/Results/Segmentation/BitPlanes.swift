/// Binary frames packed as one bit stream: the first pixel is the lowest bit, frames follow each
/// other without alignment (PS3.5 8.1.1, PS3.3 C.7.6.3).
enum BitPlanes {
  /// Sets the pixels of a frame whose labels belong to a segment.
  ///
  /// - Parameters:
  ///   - labels: of the frame's pixels.
  ///   - holds: whether a label belongs to the segment, by label.
  ///   - first: the frame's first pixel in the stream, whose pixels are still 0.
  ///   - bytes: the bit stream of all frames, the first pixel in the lowest bit (PS3.5 8.2).
  static func set(
    _ labels: UnsafeBufferPointer<UInt8>, _ holds: [Bool], from first: Int,
    in bytes: UnsafeMutableBufferPointer<UInt8>
  ) {
    var pixel = 0
    let held = holds.indices.filter { holds[$0] }
    if held.count == 1, first % 8 == 0 {
      // Eight pixels at a time: a byte of `differing` is 0 where the label is the segment's.
      let (ones, sevens) = (0x0101_0101_0101_0101 as UInt64, 0x7F7F_7F7F_7F7F_7F7F as UInt64)
      let wanted = UInt64(held[0]) &* ones
      let raw = UnsafeRawBufferPointer(labels)
      while pixel + 8 <= labels.count {
        let eight = UInt64(
          littleEndian: raw.loadUnaligned(fromByteOffset: pixel, as: UInt64.self))
        let differing = eight ^ wanted
        let isZero = ~(((differing & sevens) &+ sevens) | differing | sevens) >> 7
        // Byte i, which is 0 or 1, becomes bit i.
        bytes[(first + pixel) >> 3] = UInt8((isZero &* 0x0102_0408_1020_4080) >> 56)
        pixel += 8
      }
    }
    while pixel < labels.count {
      if holds[Int(labels[pixel])] {
        bytes[(first + pixel) >> 3] |= 1 << UInt8((first + pixel) & 7)
      }
      pixel += 1
    }
  }
}
