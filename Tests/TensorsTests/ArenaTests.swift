import Testing

@testable import Tensors

@Suite struct ArenaTests {
  /// More than the address space of any machine, and more than a number of bytes can be.
  @Test(arguments: [1 << 46, 1 << 58, Int.max / 2])
  func memoryThatIsRefusedIsAnError(_ floats: Int) {
    var layout = ArenaLayout()
    _ = layout.add(floats)
    let bytes = layout.bytes
    #expect(bytes > 0)
    #expect(throws: NotEnoughMemory(bytes: bytes)) { try Arena(layout) }
    #expect(throws: NotEnoughMemory(bytes: bytes)) {
      try ArenaLayout.checkAvailable(bytes: bytes)
    }
  }

  @Test(arguments: [0, 1, 1000, 600_000])
  func memoryIsZeroAndOnACacheLine(_ floats: Int) throws {
    var layout = ArenaLayout()
    let first = layout.add(floats)
    let second = layout.add(3)
    let arena = try Arena(layout)
    for slot in [first, second] {
      #expect(Int(bitPattern: arena[slot]) % 64 == 0)
      #expect((0..<slot.count).allSatisfy { arena[slot][$0] == 0 })
    }
  }
}
