import Clocks
import Foundation
import JobLedger
import Logging
import Synchronization
import TestSupport
import Testing
import WebClient

@testable import Notifications

/// What is told of a ledger, with a channel that keeps what it is given.
@Suite struct NotificationServiceTests {
  private final class Recorder: NotificationChannel {
    let messages = Mutex<[NotificationMessage]>([])
    let fault = Mutex<ServiceError?>(nil)

    func send(_ message: NotificationMessage) async throws {
      if let fault = fault.withLock({ $0 }) { throw fault }
      messages.withLock { $0.append(message) }
    }

    func check() async throws -> String { "" }
  }

  private final class Clock: Sendable {
    private let seconds = Mutex(1_000_000.0)
    func advance(_ by: Double) { seconds.withLock { $0 += by } }
    var now: Date { Date(timeIntervalSince1970: seconds.withLock { $0 }) }
  }

  private let folder: TemporaryFolder
  private let clock = Clock()
  private let ledger: Ledger
  private let recorder = Recorder()

  init() throws {
    folder = try TemporaryFolder()
    ledger = try Ledger(
      path: folder.url.appendingPathComponent("ledger.sqlite").path,
      clock: TimeSource { [clock] in clock.now })
  }

  private func service(group: Double = 300, perHour: Int = 3) -> NotificationService {
    NotificationService(
      ledger: ledger, recipients: [], limits: .init(groupSeconds: group, messagesPerHour: perHour),
      installation: "SEG", host: "pc", logger: Logger(label: "test"))
  }

  private func recipient(_ kinds: Set<Notice.Kind> = Set(Notice.Kind.allCases))
    -> NotificationRecipient
  {
    NotificationRecipient(name: "it", channel: recorder, kinds: kinds)
  }

  private func fail(_ destination: String, patience: Double = 0) throws {
    try ledger.watch(.destination, destination, fault: "1 result waits", patience: patience)
  }

  /// What was before is not told; what could not be sent is told later, also by the next process.
  @Test func nothingIsLostAndNothingToldTwice() async throws {
    try fail("before")
    #expect(try await !service().tell(recipient()))
    try fail("pacs")
    recorder.fault.withLock { $0 = .unreachable(place: "x", reason: "down") }
    await #expect(throws: ServiceError.self) { try await service().tell(recipient()) }
    recorder.fault.withLock { $0 = nil }
    #expect(try await service().tell(recipient()))
    #expect(try await !service().tell(recipient()))
    #expect(
      recorder.messages.withLock { $0.map(\.summary) } == ["deliveries to pacs fail"])
  }

  @Test func aDestinationIsToldOnceItHasFailedForLong() throws {
    try fail("pacs", patience: 900)
    #expect(try ledger.alarms(.destination) == ["pacs"])
    clock.advance(600)
    try fail("pacs", patience: 900)
    // It comes and goes before anybody has to know.
    try ledger.watch(.destination, "pacs", fault: nil, patience: 0)
    #expect(try ledger.checkEvents().events == 0)
    try fail("pacs", patience: 900)
    clock.advance(901)
    try fail("pacs", patience: 900)
    try fail("pacs", patience: 900)
    #expect(try ledger.checkEvents().events == 1)
    try ledger.watch(.destination, "pacs", fault: nil, patience: 0)
    #expect(try ledger.checkEvents().events == 2 && ledger.alarms(.destination).isEmpty)
  }

  @Test func messagesInAnHourAreLimitedAndLoseNothing() async throws {
    _ = try await service().tell(recipient())
    for name in ["a", "b", "c"] {
      try fail(name)
      #expect(try await service(perHour: 2).tell(recipient()) == (name != "c"))
    }
    clock.advance(3601)
    try fail("d")
    #expect(try await service(perHour: 2).tell(recipient()))
    #expect(
      recorder.messages.withLock { $0.last?.summary }
        == "deliveries to c fail; deliveries to d fail")
  }

  @Test func aRecipientIsToldOfWhatItWants() async throws {
    _ = try await service().tell(recipient([.diskShort]))
    try fail("pacs")
    #expect(try await !service().tell(recipient([.diskShort])))
  }

  @Test func theDiskIsShortUntilATenthMoreIsFree() throws {
    let watch = AlarmWatch(
      ledger: ledger, folder: folder.url.path, destinationPatience: 0, diskFreeBytes: 10_000,
      logger: Logger(label: "test"))
    try watch.look(freeBytes: 9_999)
    clock.advance(31)
    try watch.look(freeBytes: 9_999)
    #expect(try ledger.checkEvents().events == 1)
    try watch.look(freeBytes: 10_500)
    #expect(try ledger.alarms(.disk).count == 1)
    try watch.look(freeBytes: 11_000)
    #expect(try ledger.alarms(.disk).isEmpty && ledger.checkEvents().events == 2)
  }
}
