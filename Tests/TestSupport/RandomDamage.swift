/// Bytes with a few of them changed, or cut off: the same in every run, unlike a fuzzer's (Scripts/fuzz.sh), which
/// runs longer and looks where the reader has been.
public struct RandomDamage {
  private var state: UInt64
  /// What begins, ends and separates things in the formats that are read, and numbers at their limits.
  private static let bytes: [UInt8] =
    [0x00, 0x01, 0x7F, 0x80, 0xFF] + Array("\r\n\"-,:[]{}19".utf8)

  public init(seed: UInt64 = 7) { state = seed }

  /// From 0 to one less than the limit.
  public mutating func number(below limit: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % limit
  }

  /// One to four bytes changed; of one in eight the end is missing.
  public mutating func damaged(_ whole: [UInt8]) -> [UInt8] {
    var bytes = whole
    for _ in 0...number(below: 4) {
      bytes[number(below: bytes.count)] = Self.bytes[number(below: Self.bytes.count)]
    }
    if number(below: 8) == 0 { bytes.removeLast(number(below: bytes.count)) }
    return bytes
  }
}
