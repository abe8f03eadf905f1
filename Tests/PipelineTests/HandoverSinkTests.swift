import Foundation
import Ingest
import JobLedger
import Logging
import TestSupport
import Testing
import WebServer

@testable import Pipeline

/// What a head makes of the body of a listener's request, whole, broken and changed.
@Suite struct HandoverSinkTests {
  /// A state directory with its ledger and intake.
  private struct Side {
    let state: StateDirectory
    let ledger: Ledger
    let intake: Intake

    init(_ folder: TemporaryFolder, _ name: String) throws {
      state = try StateDirectory(path: folder.url.appendingPathComponent(name).path)
      ledger = try Ledger(path: state.ledger.path)
      let logger = Logger(label: "test")
      intake = Intake(
        state: state, ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
        logger: logger)
    }

    /// The files of the spool that have something in them.
    var files: [URL] {
      let walk = FileManager.default.enumerator(
        at: state.spool, includingPropertiesForKeys: [.fileSizeKey])
      return (walk?.compactMap { $0 as? URL } ?? []).filter { file in
        let size = try? file.resourceValues(forKeys: [.fileSizeKey]).fileSize
        return file.pathExtension == "dcm" && size ?? 0 > 0
      }
    }
  }

  private let folder: TemporaryFolder
  private let listener: Side
  private let head: Side
  private let run: String
  private let series: String

  /// Five instances wait at the listener.
  init() async throws {
    folder = try TemporaryFolder()
    listener = try Side(folder, "listener")
    head = try Side(folder, "head")
    run = try listener.ledger.beginHandover()
    let made = try await SmallJob(isAssembled: false)
    series = made.series
    let files = try FileManager.default.contentsOfDirectory(
      at: made.folder.url.appendingPathComponent("series"), includingPropertiesForKeys: nil)
    for file in files { try listener.intake.take(copyOf: file) }
    #expect(try listener.ledger.handoverBacklog().waiting == 5)
  }

  private func entries() throws -> [HandoverEntry] {
    try listener.ledger.handovers(after: 0, count: 100).map { entry in
      var entry = entry
      let size = entry.instance?.record.byteCount
      entry.instance?.byteCount = size
      return entry
    }
  }

  private func body(_ entries: [HandoverEntry], after: Int64 = 0) throws -> Data {
    var body = try HandoverMessages.Batch(run: run, after: after, entries: entries).framed()
    for entry in entries {
      guard let instance = entry.instance, instance.byteCount != nil else { continue }
      body += try Data(contentsOf: listener.state.file(instance.record.spoolPath))
    }
    return body
  }

  /// Gives a body to a sink in pieces, as the server does.
  private func send(_ body: Data, pieces: Int = 1000) throws(UploadFault)
    -> HandoverMessages.Answer
  {
    let sink = HandoverSink(
      intake: head.intake, listener: "ward-1", logger: Logger(label: "test"))
    do throws(UploadFault) {
      for start in stride(from: 0, to: body.count, by: pieces) {
        try sink.take(Data(body[start..<min(start + pieces, body.count)]))
      }
      let text = try sink.finish()
      do { return try JSONDecoder().decode(HandoverMessages.Answer.self, from: text) } catch {
        throw .malformed(reason: "the answer: \(error)")
      }
    } catch {
      sink.abandon()
      throw error
    }
  }

  /// The listener counts all that waits only where the head has to hear of it.
  @Test func theHeadIsToldOfASeriesBeforeItsInstances() throws {
    let entries = try entries()
    let told = ToldBacklog(try listener.ledger.handoverBacklog())
    #expect(told.isEnough(for: entries) && !told.isEnough(for: []))
    let nothing = ToldBacklog(HandoverBacklog())
    #expect(!nothing.isEnough(for: entries) && nothing.isEnough(for: []))
    let other = ToldBacklog(HandoverBacklog(waiting: 5, series: ["1.2.3"]))
    #expect(!other.isEnough(for: entries))
    var end = try #require(entries.first)
    end.instance = nil
    #expect(nothing.isEnough(for: [end]))
  }

  @Test(arguments: [7, 4096, 1 << 20]) func aBatchIsTakenInPiecesOfAnySize(pieces: Int) throws {
    let entries = try entries()
    let answer = try send(body(entries), pieces: pieces)
    #expect(answer.taken == entries.last?.number && answer.refused.isEmpty)
    let taken = try head.ledger.instances(series: series).current
    #expect(taken.count == 5 && head.files.count == 5)
    // Byte for byte, seal and file meta information included.
    for (entry, record) in zip(entries, taken) {
      let own = try #require(entry.instance).record
      #expect(own.contentHash == record.contentHash && record.source == .watch)
      #expect(
        try Data(contentsOf: listener.state.file(own.spoolPath))
          == Data(contentsOf: head.state.file(record.spoolPath)))
    }
  }

  @Test func whatComesAgainIsAnsweredAndNotKeptTwice() throws {
    let body = try body(entries())
    let first = try send(body)
    let second = try send(body)
    #expect(first.taken == second.taken)
    #expect(try head.ledger.instances(series: series).all.count == 5)
    #expect(head.files.count == 5)
  }

  @Test func aBodyThatBreaksOffLeavesNothing() throws {
    let body = try body(entries())
    for count in [3, 200, body.count / 2, body.count - 1] {
      let error = #expect(throws: UploadFault.self) { try send(body.prefix(count)) }
      guard case .malformed? = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
    #expect(try head.ledger.instances(series: series).all.isEmpty && head.files.isEmpty)
  }

  @Test func aFileThatIsChangedOnTheWayIsNotTaken() throws {
    var body = try body(entries())
    body[body.count - 100] ^= 1
    // Those before it are, and the listener sends the rest again.
    let answer = try send(body)
    #expect(answer.taken == 4 && answer.refused.isEmpty)
    #expect(try head.ledger.instances(series: series).all.count == 4 && head.files.count == 4)
    var last = try self.body([try #require(try entries().last)], after: 4)
    #expect(try send(last).taken == 5)
    last[last.count - 100] ^= 1
    #expect(throws: UploadFault.self) { try send(last) }
    #expect(head.files.count == 5)
  }

  @Test func anInstanceWhoseFileIsLostCountsAsRefused() throws {
    var entries = try entries()
    entries[1].instance?.byteCount = nil
    let answer = try send(body(entries))
    #expect(answer.taken == 5)
    #expect(answer.refused.keys.sorted() == [2])
    #expect(answer.refused[2]?.contains("lost or damaged at listener ward-1") == true)
    let lacks = try head.ledger.incompleteness(series: series)
    #expect(
      lacks.refused.map(\.instance.sopInstanceUID)
        == [try #require(entries[1].instance).record.sopInstanceUID])
    #expect(head.files.count == 4)
  }

  @Test func listsThatMakeNoSenseAreRefused() throws {
    let entries = try entries()
    for bad in [
      Data(repeating: 255, count: 100), Data([0, 0, 0, 0, 0, 0, 0, 2]) + Data("{}".utf8),
      try body(entries.reversed()), try body([entries[0], entries[0]]),
    ] { #expect(throws: UploadFault.self) { try send(bad) } }
    // Entries before it are not here.
    #expect(throws: UploadFault.self) { try send(body([entries[3]], after: 3)) }
    #expect(try head.ledger.instances(series: series).all.isEmpty && head.files.isEmpty)
  }
}
