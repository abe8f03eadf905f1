import Clocks
import Foundation
import JobLedger
import Synchronization
import TestSupport
import Testing

@testable import Ingest

/// Which part of a process makes no progress.
@Suite struct SignsOfLifeTests {
  /// A mark that a test sets.
  private final class Mark: Sendable {
    private let mark = Mutex<UInt64?>(nil)
    var value: UInt64? {
      get { mark.withLock { $0 } }
      set { mark.withLock { $0 = newValue } }
    }
  }

  @Test func aPartThatStandsStillIsNamed() {
    let (signs, moving, standing) = (SignsOfLife(), Mark(), Mark())
    signs.watch(SignsOfLife.Part("the first", within: 3) { moving.value })
    signs.watch(SignsOfLife.Part("the second", within: 3, isReading: true) { standing.value })
    standing.value = 7
    for look in 0..<3 {
      moving.value = UInt64(look)
      signs.look()
      #expect(signs.fault == nil)
    }
    moving.value = 3
    signs.look()
    #expect(
      signs.fault
        == .init(reason: "the second has not gone on for 3 s", isOfReading: true))
    standing.value = 8
    signs.look()
    #expect(signs.fault == nil)
  }

  @Test func aPartWithNothingToDoIsNotAtFault() {
    let (signs, mark) = (SignsOfLife(), Mark())
    signs.watch(SignsOfLife.Part("one", within: 2) { mark.value })
    for _ in 0..<10 { signs.look() }
    #expect(signs.fault == nil)
    mark.value = 1
    for _ in 0..<3 { signs.look() }
    #expect(signs.fault != nil)
    mark.value = nil
    signs.look()
    #expect(signs.fault == nil)
  }

  /// The same number as long as the oldest object or file is read, whatever begins and ends meanwhile.
  @Test func theOldestReadingCounts() throws {
    let folder = try TemporaryFolder()
    let notes = try ReadingNotes(folder.url.appendingPathComponent("notes"))
    func file(_ name: String) -> ReadingNotes.Note { notes.begin(.file(path: name, version: "1")) }
    notes.began(
      ReceivingAssociation(
        key: "a/1/1", callingAETitle: "CT", calledAETitle: "SEGMENTD", peerAddress: "10.0.0.1",
        startedAt: SteadyTime(seconds: 1)))
    #expect(notes.oldestReading == nil)
    let first = file("/first")
    let oldest = try #require(notes.oldestReading)
    let second = file("/second")
    file("/third").end()
    #expect(notes.oldestReading == oldest)
    first.end()
    let next = try #require(notes.oldestReading)
    #expect(next != oldest)
    second.end()
    #expect(notes.oldestReading == nil)
    // In the place of the first one.
    let last = file("/last")
    #expect(notes.oldestReading != oldest && notes.oldestReading != next)
    last.end()
  }

  @Test func tasksAreRun() async throws {
    let signs = SignsOfLife()
    signs.watch(.tasks())
    for _ in 0..<3 {
      signs.look()
      try await Task.sleep(for: .milliseconds(100))
    }
    #expect(signs.fault == nil)
  }
}
