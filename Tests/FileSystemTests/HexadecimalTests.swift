import Testing

@testable import FileSystem

@Suite struct HexadecimalTests {
  @Test func eachByteHasTwoLowerCaseDigits() {
    #expect(hexadecimal([0, 9, 10, 255]) == "00090aff")
    #expect(hexadecimal([]).isEmpty)
  }
}
