/// The raw bytes of a NIfTI header in either byte order.
struct HeaderBytes {
  let bytes: [UInt8]
  let isLittleEndian: Bool

  private func bits(_ offset: Int, _ count: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<count {
      let place = isLittleEndian ? offset + count - 1 - index : offset + index
      value = value << 8 | UInt64(bytes[place])
    }
    return value
  }

  func int16(_ offset: Int) -> Int { Int(Int16(truncatingIfNeeded: bits(offset, 2))) }
  func int32(_ offset: Int) -> Int { Int(Int32(truncatingIfNeeded: bits(offset, 4))) }
  func int64(_ offset: Int) -> Int { Int(truncatingIfNeeded: bits(offset, 8)) }
  func float(_ offset: Int) -> Double {
    Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits(offset, 4))))
  }
  func double(_ offset: Int) -> Double { Double(bitPattern: bits(offset, 8)) }
}
