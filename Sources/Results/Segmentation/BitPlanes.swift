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
      // Sixteen pixels at a time: a byte is 1 where the label is the segment's.
      let wanted = SIMD16<UInt8>(repeating: UInt8(clamping: held[0]))
      let (ones, none) = (SIMD16<UInt8>(repeating: 1), SIMD16<UInt8>(repeating: 0))
      let raw = UnsafeRawBufferPointer(labels)
      while pixel + 16 <= labels.count {
        let sixteen = raw.loadUnaligned(fromByteOffset: pixel, as: SIMD16<UInt8>.self)
        let isHeld = unsafeBitCast(
          ones.replacing(with: none, where: sixteen .!= wanted), to: SIMD2<UInt64>.self)
        // Of either half byte i, which is 0 or 1, becomes bit i.
        let bits = (isHeld &* 0x0102_0408_1020_4080) &>> 56
        bytes[(first + pixel) >> 3] = UInt8(truncatingIfNeeded: bits[0])
        bytes[((first + pixel) >> 3) + 1] = UInt8(truncatingIfNeeded: bits[1])
        pixel += 16
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
