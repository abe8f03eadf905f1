/// What all pictures have in common.
enum Picture {
  /// sRGB.
  struct Color: Sendable, Equatable {
    var red: UInt8
    var green: UInt8
    var blue: UInt8

    init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
      (self.red, self.green, self.blue) = (red, green, blue)
    }

    init(gray: UInt8) { self.init(gray, gray, gray) }
  }
}
