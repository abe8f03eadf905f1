import DICOM
import Foundation
import JobLedger
import Logging
import TestSupport
import Testing

@testable import DICOMNetwork
@testable import Ingest

/// After a process that was killed, or a loss of power, spool and ledger say the same again.
@Suite struct RecoveryTests {
  private let folder: TemporaryFolder
  private let state: StateDirectory
  private let ledger: Ledger
  private let intake: Intake
  /// As the next process has it.
  private let next: Intake
  /// As the next receiving process of the same daemon has it.
  private let restarted: Intake

  init() throws {
    folder = try TemporaryFolder()
    state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    ledger = try Ledger(path: state.ledger.path)
    let (state, ledger, logger) = (state, ledger, Logger(label: "test"))
    func makeIntake(_ session: ReceivingSession) -> Intake {
      Intake(
        state: state, ledger: ledger,
        receptions: ReceptionLog(ledger: ledger, session: session, logger: logger),
        logger: logger)
    }
    let session = ReceivingSession()
    intake = makeIntake(session)
    next = makeIntake(ReceivingSession())
    restarted = makeIntake(ReceivingSession(daemon: session.daemon, process: 1))
  }

  /// An image in a file as the listener fills it.
  private func receive(_ number: Int, by intake: Intake? = nil) throws -> URL {
    let source = folder.url.appendingPathComponent("\(number).dcm")
    try Dataset.image(number).write(to: source.path)
    let file = try #require(try (intake ?? self.intake).newFile())
    try FileHandle(fileDescriptor: file.descriptor, closeOnDealloc: true)
      .write(contentsOf: Data(contentsOf: source))
    return URL(fileURLWithPath: file.path)
  }

  @discardableResult
  private func store(_ number: Int, by intake: Intake? = nil) throws -> URL {
    let file = try receive(number, by: intake)
    let status = (intake ?? self.intake).store(
      ReceivedObject(
        association: .test, path: file.path, sopClassUID: "1.2.840.10008.5.1.4.1.1.4",
        sopInstanceUID: "1.2.3.\(number)", transferSyntaxUID: "1.2.840.10008.1.2.1",
        beganAt: .now))
    #expect(status == .success)
    return file
  }

  /// What the next process reports of the spool.
  private func rescan() throws -> [String] {
    var lines: [String] = []
    try Recovery(next).rescan { line, _ in lines.append(line) }
    return lines
  }

  private var recorded: [String] {
    get throws { try ledger.instances(series: "1.2.3").current.map(\.sopInstanceUID) }
  }

  /// The ledger is restored from a copy that is older than the spool.
  @Test func sealedFilesThatTheLedgerDoesNotKnowAreRecorded() throws {
    let file = try store(1)
    let other = try Ledger(path: folder.url.appendingPathComponent("older.sqlite").path)
    let logger = Logger(label: "test")
    let restored = Intake(
      state: state, ledger: other, receptions: ReceptionLog(ledger: other, logger: logger),
      logger: logger)
    try Recovery(restored).rescan { _, _ in }
    #expect(
      try other.instances(series: "1.2.3").all.map { state.file($0.spoolPath).path } == [file.path])
    #expect(
      try other.instances(series: "1.2.3").all.map(\.contentHash)
        == ledger.instances(series: "1.2.3").all.map(\.contentHash))
  }

  @Test func aFileThatWasNeverCompleteIsRemoved() throws {
    try store(1)
    let whole = try receive(2)
    let half = try receive(3)
    try Data(contentsOf: half).prefix(700).write(to: half)
    let lines = try rescan()
    #expect(lines.count == 2 && lines.allSatisfy { $0.contains("never complete") }, "\(lines)")
    #expect(state.filledFiles.count == 1)
    #expect(!FileManager.default.fileExists(atPath: whole.path))
    #expect(try recorded == ["1.2.3.1"])
    #expect(try rescan().isEmpty)
  }

  /// Made in advance by the process that ended.
  @Test func emptyFilesAreRemovedWithoutAWord() throws {
    let file = try store(1)
    let folder = file.deletingLastPathComponent().path
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count > 1)
    #expect(try rescan().isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [file.lastPathComponent])
  }

  /// Its length is on the disk and its pixels are not.
  @Test func aSealedFileThatIsNotWhatWasReceivedIsNotRecorded() throws {
    let file = try receive(2)
    var hasPrefix = false
    #expect(SpoolSeal(of: file, hasPrefix: &hasPrefix) == nil && hasPrefix)
    try SpoolSeal(contentHash: try datasetHash(file)).write(to: file)
    var bytes = try Data(contentsOf: file)
    for index in bytes.count - 500..<bytes.count { bytes[index] = 0 }
    try bytes.write(to: file)
    let lines = try rescan()
    #expect(lines.count == 1 && lines[0].contains("SHA-256 differs"), "\(lines)")
    #expect(try recorded.isEmpty)
    #expect(FileManager.default.fileExists(atPath: file.path))
  }

  private func datasetHash(_ file: URL) throws -> String {
    let copy = folder.url.appendingPathComponent("copy.dcm")
    try Data(contentsOf: file).write(to: copy)
    let other = try StateDirectory(path: folder.url.appendingPathComponent("other").path)
    let ledger = try Ledger(path: other.ledger.path)
    let logger = Logger(label: "test")
    try Intake(
      state: other, ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
      logger: logger
    ).take(copyOf: copy)
    return try #require(try ledger.instances(series: "1.2.3").all.first).contentHash
  }

  /// The power fails when the row is on disk and the file is not: that was not acknowledged.
  @Test(arguments: ["gone", "emptied", "zeros"])
  func aRowWithoutItsFileIsWithdrawn(damage: String) throws {
    try store(1)
    let file = try store(2)
    switch damage {
    case "gone": try FileManager.default.removeItem(at: file)
    case "emptied": try Data().write(to: file)
    default:
      var bytes = try Data(contentsOf: file)
      for index in bytes.count - 1000..<bytes.count { bytes[index] = 0 }
      try bytes.write(to: file)
    }
    let lines = try Recovery(next).withdrawUnfinished()
    #expect(lines.count == 1 && lines[0].contains("1.2.3.2"), "\(lines)")
    #expect(try recorded == ["1.2.3.1"])
    #expect(state.filledFiles.count == 1)
    _ = try Recovery(next).rescue()
    // The series is held until it comes again.
    #expect(
      try ledger.incompleteness(series: "1.2.3").associations.map(\.outcome) == [.interrupted])
    #expect(try Recovery(next).withdrawUnfinished().isEmpty)
    try store(2)
    #expect(try recorded == ["1.2.3.1", "1.2.3.2"])
  }

  /// Its associations are open because they are.
  @Test func whatThisProcessReceivesIsLeftAlone() throws {
    let file = try store(1)
    try FileManager.default.removeItem(at: file)
    #expect(try Recovery(intake).withdrawUnfinished().isEmpty)
    _ = try Recovery(intake).rescue()
    #expect(try ledger.incompleteness(series: "1.2.3").isEmpty)
    let half = try receive(2)
    try Recovery(intake).rescan { line, _ in Issue.record("\(line)") }
    #expect(FileManager.default.fileExists(atPath: half.path))
    intake.ended(.test, .released, message: "")
    #expect(try Recovery(next).withdrawUnfinished().isEmpty)
  }

  /// The receiving process crashed and the next one receives already: only what the first left is ended.
  @Test func afterAReceivingProcessOnlyWhatItLeftIsPutRight() throws {
    let lost = try store(1)
    try store(2, by: restarted)
    let half = try receive(3)
    let halfOfNext = try receive(4, by: restarted)
    try FileManager.default.removeItem(at: lost)
    let session = intake.receptions.session
    // Of the daemon, in which a job may be running.
    let recovery = Recovery(next, after: session)
    #expect(try recovery.withdrawUnfinished().count == 1)
    try ledger.endReception(ofSession: session.key, message: "it crashed")
    try recovery.rescan { line, _ in #expect(line.contains("never complete"), "\(line)") }
    #expect(try recorded == ["1.2.3.2"])
    #expect(
      try ledger.incompleteness(series: "1.2.3").associations.map(\.message) == ["it crashed"])
    #expect(!FileManager.default.fileExists(atPath: half.path))
    #expect(FileManager.default.fileExists(atPath: halfOfNext.path))
    #expect(state.filledFiles.count == 2)
    // Its own association ends as it does.
    restarted.ended(.test, .released, message: "")
    #expect(try Recovery(next).withdrawUnfinished().isEmpty)
  }

  @Test func whatWasOnItsWayInIsRemoved() throws {
    try Data("half".utf8).write(to: state.incoming.appendingPathComponent("y"))
    Recovery(next).removeUnacknowledged()
    #expect(try FileManager.default.contentsOfDirectory(atPath: state.incoming.path).isEmpty)
  }
}
