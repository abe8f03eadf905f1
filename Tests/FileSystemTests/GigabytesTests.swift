import FileSystem
import Testing

@Suite struct GigabytesTests {
  /// Every number of bytes, written in GB, is that number of bytes again.
  @Test func noByteIsLost() {
    for bytes in [0, 1, 999_999_999, 1_000_000_000] + (500_000..<550_000) {
      #expect(byteCount(gigabytes: Double(bytes) / 1e9) == bytes)
    }
  }
}
