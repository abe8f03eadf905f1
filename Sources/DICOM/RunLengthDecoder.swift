/// RLE of PS3.5 annex G. Missing data is an error here, where DCMTK's decoder fills it in.
enum RunLengthDecoder {
  /// Decodes a frame into little-endian samples.
  ///
  /// - Parameters:
  ///   - code: the coded frame, which begins with the RLE header of 64 bytes.
  ///   - pixels: rows times columns.
  ///   - bytesPerSample: 1 or 2; there is one segment for each byte plane, the most significant
  ///     first.
  /// - Returns: the samples, or the reason why there are none.
  static func decode(
    _ code: UnsafeRawBufferPointer, pixels: Int, bytesPerSample: Int
  ) -> Result<[UInt8], DecodingFailure> {
    guard code.count >= 64 else { return .failure("RLE header is incomplete") }
    let word = { (index: Int) in
      Int(code.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self).littleEndian)
    }
    guard word(0) == bytesPerSample else {
      return .failure("\(word(0)) RLE segments where \(bytesPerSample) are due")
    }
    var samples = [UInt8](repeating: 0, count: pixels * bytesPerSample)
    for segment in 0..<bytesPerSample {
      let start = word(segment + 1)
      let end = segment + 1 < bytesPerSample ? word(segment + 2) : code.count
      guard start >= 64, start <= end, end <= code.count else {
        return .failure("RLE segment offsets are out of order")
      }
      let plane = bytesPerSample - 1 - segment
      let written = unpack(
        UnsafeRawBufferPointer(rebasing: code[start..<end]), pixels: pixels
      ) { index, byte in samples[index * bytesPerSample + plane] = byte }
      guard written == pixels else {
        return .failure(
          written < pixels
            ? "RLE segment \(segment + 1) holds \(written) of \(pixels) pixels"
            : "RLE segment \(segment + 1) holds more than \(pixels) pixels")
      }
    }
    return .success(samples)
  }

  /// Unpacks a segment; returns how many bytes it held, at most one more than `pixels`.
  private static func unpack(
    _ segment: UnsafeRawBufferPointer, pixels: Int, store: (Int, UInt8) -> Void
  ) -> Int {
    var position = 0
    var written = 0
    while position < segment.count, written < pixels {
      let control = Int(Int8(bitPattern: segment[position]))
      position += 1
      if control == -128 { continue }
      let isRun = control < 0
      let length = isRun ? 1 - control : control + 1
      guard position + (isRun ? 1 : length) <= segment.count else { return written }
      guard written + length <= pixels else { return pixels + 1 }
      for index in 0..<length {
        store(written + index, segment[isRun ? position : position + index])
      }
      position += isRun ? 1 : length
      written += length
    }
    // Segments are padded to even length with a zero; -128 does nothing.
    let isPadding = segment[position...].allSatisfy { $0 == 0 || $0 == 0x80 }
    return written == pixels && !isPadding ? pixels + 1 : written
  }
}

/// Why a codestream does not decode to a frame.
struct DecodingFailure: Error, ExpressibleByStringInterpolation {
  let reason: String
  init(stringLiteral reason: String) { self.reason = reason }
}
