import Testing
import Wording

struct CountedTests {
  @Test func theNounAgreesWithItsNumber() {
    #expect(
      [0, 1, 2, -1].map { counted($0, "slice") } == [
        "0 slices", "1 slice", "2 slices", "-1 slices",
      ])
    #expect(counted(UInt16(1), "entry waits", "entries wait") == "1 entry waits")
    #expect(counted(Int64(3), "entry waits", "entries wait") == "3 entries wait")
  }
}
