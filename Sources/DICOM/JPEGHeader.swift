/// The frame header of a JPEG or JPEG-LS codestream, read before a decoder may trust it.
struct JPEGHeader: Equatable {
  var precision: Int
  var rows: Int
  var columns: Int
  var components: Int

  /// Walks the marker segments (ITU-T T.81 annex B, T.87 annex C).
  ///
  /// - Throws: ``DecodingFailure`` on markers outside their place (TEM makes DCMTK's scan loop for
  ///   ever), a missing frame header or a missing end of image.
  init(_ code: UnsafeRawBufferPointer, isJPEGLS: Bool) throws(DecodingFailure) {
    guard code.count >= 4, code[0] == 0xFF, code[1] == 0xD8 else {
      throw "does not begin with a start of image marker"
    }
    var found: JPEGHeader?
    var position = 2
    while true {
      guard position + 4 <= code.count, code[position] == 0xFF else {
        throw "a marker was expected at byte \(position)"
      }
      let marker = code[position + 1]
      if marker == 0xFF {
        position += 1
        continue
      }
      let length = Int(code[position + 2]) << 8 | Int(code[position + 3])
      guard marker >= 0xC0, !(0xD0...0xD9).contains(marker), length >= 2,
        position + 2 + length <= code.count
      else { throw "bad marker \(String(marker, radix: 16)) at byte \(position)" }
      let segment = position + 4..<position + 2 + length
      if Self.isStartOfFrame(marker, isJPEGLS: isJPEGLS) {
        guard found == nil, segment.count >= 6 else { throw "bad frame header" }
        found = JPEGHeader(code, at: segment.lowerBound)
      }
      position = segment.upperBound
      if marker == 0xDA { break }
    }
    guard let found else { throw "no frame header before the first scan" }
    guard Self.endsWithEndOfImage(code, after: position) else {
      throw "no end of image marker: the codestream is cut off"
    }
    if Self.hasAnotherImage(code, after: position) {
      throw "another codestream follows the first"
    }
    if !isJPEGLS, Self.hasForbiddenMarker(code, after: position) {
      throw "a marker that may not occur within a scan"
    }
    self = found
  }

  private init(_ code: UnsafeRawBufferPointer, at start: Int) {
    precision = Int(code[start])
    rows = Int(code[start + 1]) << 8 | Int(code[start + 2])
    columns = Int(code[start + 3]) << 8 | Int(code[start + 4])
    components = Int(code[start + 5])
  }

  private static func isStartOfFrame(_ marker: UInt8, isJPEGLS: Bool) -> Bool {
    if isJPEGLS { return marker == 0xF7 }
    // C4, C8 and CC are tables and extensions.
    return (0xC0...0xCF).contains(marker) && ![0xC4, 0xC8, 0xCC].contains(marker)
  }

  /// Fragments are padded to even length, some writers pad more.
  private static func endsWithEndOfImage(
    _ code: UnsafeRawBufferPointer, after scan: Int
  ) -> Bool {
    guard let last = code.lastIndex(where: { $0 != 0 }), last > scan else { return false }
    return code[last] == 0xD9 && code[last - 1] == 0xFF
  }

  /// A start of image after the end of one: of coded data neither JPEG nor JPEG-LS make FF D9 or
  /// FF D8.
  private static func hasAnotherImage(_ code: UnsafeRawBufferPointer, after scan: Int) -> Bool {
    var hasEnded = false
    for position in scan..<max(scan, code.count - 1) where code[position] == 0xFF {
      if code[position + 1] == 0xD9 { hasEnded = true }
      if code[position + 1] == 0xD8, hasEnded { return true }
    }
    return false
  }

  /// Within a scan FF is followed by 00, a restart marker, or a marker segment between scans.
  private static func hasForbiddenMarker(_ code: UnsafeRawBufferPointer, after scan: Int) -> Bool {
    var position = scan
    while position + 1 < code.count {
      if code[position] == 0xFF, (0x01...0xBF).contains(code[position + 1]) { return true }
      position += 1
    }
    return false
  }
}
