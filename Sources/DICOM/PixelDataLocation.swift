/// Where the pixel data of a file is.
struct PixelDataLocation: Sendable, Equatable {
  var vr: String
  /// First byte of the element, where the header ends.
  var start: Int
  /// The value of native pixel data; nil when encapsulated.
  var native: Range<Int>?
  /// Fragments of encapsulated pixel data, the offset table left out.
  var fragments: [Range<Int>] = []
  /// The basic offset table: offsets of the first fragment of each frame (PS3.5 A.4).
  var offsetTable: Range<Int> = 0..<0
}
