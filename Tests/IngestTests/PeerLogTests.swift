import DICOMNetwork
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Ingest

/// No peer can bury the log, and what is left out is counted. The time is the test's.
@Suite struct PeerLogTests {
  private final class Time: Sendable {
    private let seconds = Mutex(0.0)
    private let start = ContinuousClock.now
    var now: ContinuousClock.Instant { start + .seconds(seconds.withLock { $0 }) }
    func advance(_ by: Double) { seconds.withLock { $0 += by } }
  }

  private let lines = LoggedLines()
  private let time = Time()
  private let log: PeerLog

  init() {
    let (lines, time) = (lines, time)
    log = PeerLog(lines.logger(naming: "peer"), lines: 3, now: { time.now })
  }

  private func peer(_ address: String) -> Association {
    Association(
      number: 1, startedAt: .now, callingAETitle: "MODALITY", calledAETitle: "SEGMENTD",
      peerAddress: address)
  }

  private func close(_ numbers: ClosedRange<Int>, from address: String = "10.0.0.5") {
    for number in numbers { log.log(.closed, .warning, "\(number)", of: peer(address)) }
  }

  @Test func whatIsTooMuchIsCounted() {
    close(1...8)
    #expect(lines.text == (1...3).map { "warning: \($0) of MODALITY" })
    time.advance(59)
    log.summarize()
    #expect(lines.text.count == 3)
    time.advance(1)
    log.summarize()
    #expect(lines.text.last == "warning: 5 more connections closed from 10.0.0.5, the last: 8")
    // Said once.
    log.summarize(isEnd: true)
    #expect(lines.text.count == 4)
  }

  @Test func aMinuteLaterTheNextOnesAreLoggedAfterTheCountOfThoseBefore() {
    close(1...4)
    time.advance(60)
    close(5...5)
    #expect(
      lines.text.suffix(2) == [
        "warning: 1 more connections closed from 10.0.0.5, the last: 4", "warning: 5 of MODALITY",
      ])
  }

  @Test func addressesAndKindsAreCountedByThemselves() {
    close(1...9)
    close(1...1, from: "10.0.0.6")
    log.log(.rejected, .warning, "rejected", of: peer("10.0.0.5"))
    log.log(.refused, .warning, "file", of: nil)
    #expect(
      lines.text.suffix(3) == [
        "warning: 1 of MODALITY", "warning: rejected of MODALITY", "warning: file",
      ])
  }

  @Test func theCountHasTheGravestLevel() {
    for level in [Logger.Level.info, .info, .info, .info, .error, .info] {
      log.log(.released, level, "\(level)", of: peer("10.0.0.5"))
    }
    log.summarize(isEnd: true)
    #expect(
      lines.text.last == "error: 3 more associations released from 10.0.0.5, the last: info")
  }

  @Test func whatIsBelowTheLevelOfTheLogIsNotCounted() {
    for _ in 0..<9 { log.log(.accepted, .debug, "accepted", of: peer("10.0.0.5")) }
    log.summarize(isEnd: true)
    #expect(lines.text.isEmpty)
  }

  /// More addresses than there is memory for: those that come last share one count.
  @Test func manyAddressesCostNoMemory() {
    for number in 0..<4096 { close(1...1, from: "10.1.\(number >> 8).\(number & 255)") }
    for number in 0..<10 { close(1...1, from: "10.2.0.\(number)") }
    #expect(lines.text.count == 4096 + 3)
    log.summarize(isEnd: true)
    #expect(
      lines.text.last == "warning: 7 more connections closed from other addresses, the last: 1")
    // Once a minute is over there is room again.
    for number in 0..<4096 { close(1...1, from: "10.1.\(number >> 8).\(number & 255)") }
    time.advance(60)
    let before = lines.text.count
    for number in 0..<10 { close(1...1, from: "10.2.0.\(number)") }
    #expect(lines.text.count == before + 10)
  }
}
