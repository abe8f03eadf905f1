import Foundation

/// Display colours as DICOM stores them (PS3.3 C.10.7.1.1).
enum CIELab {
  /// L*, a*, b* under D65 scaled to 16 bits: L* 0 to 100, a* and b* -128 to 127.
  static func scaled(red: UInt8, green: UInt8, blue: UInt8) -> [Int] {
    let (r, g, b) = (linear(red), linear(green), linear(blue))
    // sRGB to XYZ relative to the D65 white point (IEC 61966-2-1).
    let x = compressed((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.950456)
    let y = compressed(0.2126729 * r + 0.7151522 * g + 0.0721750 * b)
    let z = compressed((0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.088754)
    let lightness = 116 * y - 16
    return [
      lightness * 65535 / 100, (500 * (x - y) + 128) * 65535 / 255,
      (200 * (y - z) + 128) * 65535 / 255,
    ].map { Int(min(max($0, 0), 65535).rounded()) }
  }

  private static func linear(_ component: UInt8) -> Double {
    let value = Double(component) / 255
    return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
  }

  private static func compressed(_ value: Double) -> Double {
    value > 216.0 / 24389 ? cbrt(value) : (24389.0 / 27 * value + 16) / 116
  }
}
