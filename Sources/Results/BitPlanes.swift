/// Binary frames packed as one bit stream: the first pixel is the lowest bit, frames follow each
/// other without alignment (PS3.5 8.1.1, PS3.3 C.7.6.3).
enum BitPlanes {
  /// A buffer for a number of pixels, padded to an even length.
  static func buffer(pixels: Int) -> [UInt8] {
    let bytes = (pixels + 7) / 8
    return [UInt8](repeating: 0, count: bytes + bytes % 2)
  }

  static func set(_ pixel: Int, in bytes: inout [UInt8]) {
    bytes[pixel >> 3] |= 1 << UInt8(pixel & 7)
  }

  static func isSet(_ pixel: Int, in bytes: [UInt8]) -> Bool {
    bytes[pixel >> 3] >> UInt8(pixel & 7) & 1 == 1
  }
}
