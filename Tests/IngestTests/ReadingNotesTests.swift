import Clocks
import Cryptography
import DICOM
import FileSystem
import Foundation
import JobLedger
import Logging
import TestSupport
import Testing

@testable import Ingest

/// What is being read can be told after a crash, and a file that crashed the process is left alone.
@Suite struct ReadingNotesTests {
  private let folder: TemporaryFolder
  private let file: URL
  private let notes: ReadingNotes
  private let association = ReceivingAssociation(
    key: "d/1/7", callingAETitle: "MODALITY", calledAETitle: "SEGMENTD", peerAddress: "10.0.0.5",
    startedAt: SteadyTime(seconds: 1_700_000_000.25))

  init() throws {
    folder = try TemporaryFolder()
    file = folder.url.appendingPathComponent("receiving")
    notes = try ReadingNotes(file)
  }

  private var subjects: [ReadingNotes.Subject] { ReadingNotes.subjects(in: file) }

  @Test func whatIsReadIsThereUntilItsEnd() throws {
    let object = ReadingNotes.Subject.object(
      sopClassUID: "1.2.840.10008.5.1.4.1.1.2", sopInstanceUID: "1.2.3.4",
      beganAt: SteadyTime(seconds: 1_700_000_001.5), over: association)
    let path = "/" + String(repeating: "ü/", count: 1300) + "Bild 1.dcm"
    let watched = ReadingNotes.Subject.file(path: path, version: "1:2:3:4.5")
    #expect(subjects.isEmpty)
    notes.began(association)
    let first = notes.begin(watched)
    let second = notes.begin(object)
    #expect(subjects == [.association(association), watched, object])
    first.end()
    #expect(subjects == [.association(association), object])
    // A short one in the place of a long one.
    let third = notes.begin(.file(path: "/a", version: "v"))
    #expect(subjects == [.association(association), .file(path: "/a", version: "v"), object])
    for note in [second, third] { note.end() }
    notes.ended(association)
    #expect(subjects.isEmpty)
    #expect(try ReadingNotes(file) !== notes && subjects.isEmpty)
  }

  @Test func theFileIsForUsAlone() throws {
    let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions]
    #expect(mode as? Int == 0o600)
  }

  @Test func aPeerCannotFalsifyThem() {
    let note = notes.begin(
      .object(
        sopClassUID: "1.2\0F\0/etc/passwd\0v\0", sopInstanceUID: "1.3\0", beganAt: .now,
        over: association))
    guard case .object("1.2F/etc/passwdv", "1.3", _, association)? = subjects.first else {
      Issue.record("\(subjects)")
      return
    }
    note.end()
  }

  @Test func notesOfManyThreadsDoNotMix() {
    onThreads(8) { number in
      for round in 0..<200 {
        let note = notes.begin(.file(path: "/\(number)/\(round)", version: "v"))
        #expect(subjects.contains(.file(path: "/\(number)/\(round)", version: "v")))
        note.end()
      }
    }
    #expect(subjects.isEmpty)
  }

  @Test func anIntakeNotesTheFileThatItReads() throws {
    let state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    let ledger = try Ledger(path: state.ledger.path)
    let logger = Logger(label: "test")
    let intake = Intake(
      state: state, ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
      notes: notes, logger: logger)
    let image = folder.url.appendingPathComponent("1.dcm")
    try Dataset.image(1).write(to: image.path)
    func version() throws -> String { try #require(FileStatus(image.path)).version }

    func crash(isCertain: Bool) throws -> CrashSuspicion {
      try ledger.recordCrash(
        ofFile: image.path, version: version(), isCertain: isCertain, reason: "it crashed")
    }
    // Perhaps to blame, and then not.
    #expect(try crash(isCertain: false) == .suspected)
    try intake.take(copyOf: image)
    #expect(try ledger.crashSuspicion(ofFile: image.path, version: version()) == nil)
    #expect(subjects.isEmpty)

    #expect(try crash(isCertain: true) == .refused)
    do {
      try intake.take(copyOf: image)
      Issue.record("it was read")
    } catch {
      guard case .crashed(hashedFileName(image.path)) = error else { throw error }
    }
    #expect(try ledger.refusals().map(\.instance.file) == [image.path])
    // It was replaced.
    try FileManager.default.removeItem(at: image)
    try Dataset.image(2).write(to: image.path)
    try intake.take(copyOf: image)
    #expect(try ledger.refusals().isEmpty)
  }
}
