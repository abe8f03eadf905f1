import DICOM
import Foundation
import GRDB
import Logging
import TestSupport
import Testing

@testable import DICOMNetwork
@testable import Ingest
@testable import JobLedger

/// While the ledger cannot be written nothing is acknowledged and nothing forgotten; what it can never
/// take holds up nothing else.
@Suite struct UnwritableLedgerTests {
  private let folder: TemporaryFolder
  private let state: StateDirectory
  private let ledger: Ledger
  private let receptions: ReceptionLog
  private let intake: Intake

  init() throws {
    folder = try TemporaryFolder()
    state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    // In place of eight seconds.
    ledger = try Ledger(path: state.ledger.path, intakePatience: .milliseconds(500))
    receptions = ReceptionLog(ledger: ledger, logger: Logger(label: "test"))
    intake = Intake(
      state: state, ledger: ledger, receptions: receptions, logger: Logger(label: "test"))
  }

  private func store(_ number: Int, cut: Bool = false) throws -> StoreStatus {
    let bytes = try Data(contentsOf: file(number, cut: cut))
    let file = try #require(try intake.newFile())
    try FileHandle(fileDescriptor: file.descriptor, closeOnDealloc: true).write(contentsOf: bytes)
    return intake.store(
      ReceivedObject(
        association: .test, path: file.path, sopClassUID: "1.2.840.10008.5.1.4.1.1.4",
        sopInstanceUID: "1.2.3.\(number)", transferSyntaxUID: "1.2.840.10008.1.2.1",
        beganAt: .now))
  }

  private func file(_ number: Int, cut: Bool = false) throws -> URL {
    let file = folder.url.appendingPathComponent("\(number).dcm")
    try Dataset.image(number).write(to: file.path)
    if cut { try Data(contentsOf: file).dropLast(400).write(to: file) }
    return file
  }

  /// Another process holds the ledger's lock meanwhile.
  private func whileLocked(_ body: () throws -> Void) throws {
    try DatabaseQueue(path: state.ledger.path).inDatabase { db in
      try db.execute(sql: "BEGIN IMMEDIATE")
      try body()
      try db.execute(sql: "COMMIT")
    }
  }

  /// A file of a watch folder is tried again every few seconds.
  @Test func aRefusalThatWaitsForTheLedgerIsKeptOnce() throws {
    let cut = try file(2, cut: true)
    try whileLocked {
      for _ in 0..<3 { #expect(throws: IntakeError.self) { try intake.take(copyOf: cut) } }
      let (status, refusals) = try (store(1), ledger.refusals())
      #expect(status == .outOfResources && refusals.isEmpty)
    }
    #expect(state.filledFiles.isEmpty)
    #expect(try store(1) == .success)
    let missing = try ledger.incompleteness(series: "1.2.3").refused
    #expect(missing.map(\.instance.sopInstanceUID) == ["1.2.3.2"] && missing[0].count == 1)
  }

  @Test func refusalsAndEndsWaitForTheLedgerInOrder() throws {
    #expect(try store(1) == .success)
    try whileLocked {
      let status = try store(2, cut: true)
      #expect(status == .cannotUnderstand)
      intake.ended(.test, .released, message: "")
      // What comes later is not acknowledged before.
      let later = try store(3)
      #expect(later == .outOfResources)
      #expect(throws: LedgerError.self) { try receptions.flush() }
    }
    #expect(try ledger.incompleteness(series: "1.2.3").isEmpty)
    #expect(try store(3) == .success)
    let missing = try ledger.incompleteness(series: "1.2.3").refused
    #expect(missing.map(\.instance.sopInstanceUID) == ["1.2.3.2"])
  }

  /// For a fault of ours, such as a value that the tables forbid.
  @Test func aRefusalThatCanNeverBeRecordedHoldsUpNothingButItsSeries() throws {
    try ledger.write { db in
      try db.execute(
        sql: """
          CREATE TRIGGER forbidden BEFORE INSERT ON refused_instances
          BEGIN SELECT RAISE(ABORT, 'forbidden'); END
          """)
    }
    #expect(try store(1) == .success)
    #expect(try store(2, cut: true) == .cannotUnderstand)
    #expect(try store(3) == .success)
    intake.ended(.test, .released, message: "")
    let reasons = try ledger.incompleteness(series: "1.2.3").reasons
    #expect(reasons.count == 1 && reasons[0].contains("MODALITY"), "\(reasons)")
    #expect(
      try ledger.incompleteness(series: "1.2.3").associations.map(\.message)
        == ["a refused instance could not be recorded"])
  }

  /// Of an association without instances, as of C-ECHO, the ledger is told nothing.
  @Test(arguments: [0, 1]) func anAssociationThatBroughtNothingDoesNotWait(stored: Int) throws {
    try whileLocked {
      intake.record(
        AssociationEvent(
          kind: .ended(.released), association: .test, message: "", stored: stored, refused: 0))
      // What waits for the ledger is written first.
      let waits: Bool
      do throws(LedgerError) {
        try receptions.flush()
        waits = false
      } catch { waits = true }
      #expect(waits == (stored > 0))
    }
  }

  /// All associations are answered after the time of one. A busy machine may be slower, now and then; one after the
  /// other would never take less than twelve seconds.
  @Test func aLockedLedgerRefusesAllInTheTimeOfOne() throws {
    #expect(try store(1) == .success)
    try whileLocked {
      for round in 1...2 {
        var seconds = Double.infinity
        for _ in 1...30 where seconds >= 6 {
          let start = Date()
          onThreads(24) { number in
            do {
              let status = try store(100 * round + number)
              #expect(status == .outOfResources)
            } catch {
              Issue.record(error)
            }
          }
          seconds = Date().timeIntervalSince(start)
        }
        #expect(seconds < 6)
      }
    }
    #expect(try store(100) == .success)
    let missing = try ledger.incompleteness(series: "1.2.3").refused
    #expect(missing.count == 47 && missing.allSatisfy { $0.instance.status == 0xA700 })
  }
}

extension Dataset {
  /// A small MR image of series 1.2.3.
  static func image(_ number: Int, series: String = "1.2.3") -> Dataset {
    var image = Dataset()
    image.set(.sopClassUID, .UI, "1.2.840.10008.5.1.4.1.1.4")
    image.set(.sopInstanceUID, .UI, "1.2.3.\(number)")
    image.set(.modality, .CS, "MR")
    image.set(.studyInstanceUID, .UI, "1.2")
    image.set(.seriesInstanceUID, .UI, series)
    image.set(.pixelData, .OW, bytes: [UInt8](repeating: 7, count: 4096))
    return image
  }
}
