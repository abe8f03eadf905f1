import Clocks
import Foundation
import JobLedger
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Ingest
@testable import Pipeline

/// What is recorded of a receiving process that ended by itself.
@Suite struct ReceiverEndTests {
  private let folder: TemporaryFolder
  private let ledger: Ledger
  private let intake: Intake
  private let logger = Logger(label: "test")
  private let session = ReceivingSession(process: 1)
  private let time = Time()

  /// In seconds since 1970.
  private final class Time: Sendable {
    private let seconds = Mutex(1000.0)
    var now: Date { Date(timeIntervalSince1970: seconds.withLock { $0 }) }
    func set(_ value: Double) { seconds.withLock { $0 = value } }
  }

  private var association: ReceivingAssociation {
    ReceivingAssociation(
      key: session.key + "/7", callingAETitle: "MODALITY", calledAETitle: "SEGMENTD",
      peerAddress: "10.0.0.5", startedAt: SteadyTime(seconds: 2000))
  }

  init() throws {
    folder = try TemporaryFolder()
    let state = try StateDirectory(path: folder.url.appendingPathComponent("state").path)
    ledger = try Ledger(path: state.ledger.path, clock: TimeSource { [time] in time.now })
    intake = Intake(
      state: state, ledger: ledger,
      receptions: ReceptionLog(
        ledger: ledger, session: ReceivingSession(daemon: session.daemon), logger: logger),
      logger: logger)
  }

  private func account(_ end: ReceiverProcess.End, _ reading: [ReadingNotes.Subject]) async throws {
    try await ReceiverAftermath(intake: intake, ledger: ledger, logger: logger)
      .account(for: ReceiverEnd(session: session, end: end, reading: reading))
  }

  private func record(_ number: Int) -> InstanceRecord {
    InstanceRecord(
      studyInstanceUID: "1.2", seriesInstanceUID: "1.2.3", sopInstanceUID: "1.2.3.\(number)",
      sopClassUID: "1.2.840.10008.5.1.4.1.1.2", modality: "CT",
      transferSyntaxUID: "1.2.840.10008.1.2.1", spoolPath: "spool/\(number).dcm", byteCount: 1000,
      contentHash: String(format: "%064x", number), source: .listener)
  }

  private func object(_ uid: String) -> ReadingNotes.Subject {
    .object(
      sopClassUID: "1.2.840.10008.5.1.4.1.1.2", sopInstanceUID: uid, beganAt: .now,
      over: association)
  }

  /// What came over the association is in doubt: its files are not there, so that it is withdrawn.
  @Test func anObjectOfAPeerIsMissingInItsSeries() async throws {
    _ = try ledger.recordInstance(record(1))
    time.set(3000)
    _ = try ledger.recordInstance(record(2), association: association)
    try await account(.killed(signal: SIGSEGV), [.association(association), object("1.2.3.9")])
    let lacks = try ledger.incompleteness(series: "1.2.3")
    #expect(lacks.refused.map(\.instance.sopInstanceUID) == ["1.2.3.9"])
    #expect(lacks.reasons.first?.contains("signal 11") == true, "\(lacks.reasons)")
    #expect(lacks.associations.map(\.outcome) == [.interrupted])
    #expect(lacks.associations.first?.message?.contains("signal 11") == true)
    #expect(try ledger.instances(series: "1.2.3").all.map(\.sopInstanceUID) == ["1.2.3.1"])
  }

  @Test(arguments: [SIGKILL, SIGTERM]) func whatCameFromOutsideRefusesNothing(signal: Int32)
    async throws
  {
    for _ in 0..<(signal == SIGTERM ? 3 : 1) {
      try await account(
        .killed(signal: signal),
        [.association(association), object("1.2.3.9"), .file(path: "/in/a", version: "1")])
    }
    #expect(try ledger.refusals().isEmpty)
  }

  @Test func theOnlyFileIsRefusedAtOnceAndAnotherAtTheSecondTime() async throws {
    let (a, b) = (
      ReadingNotes.Subject.file(path: "/in/a", version: "1"),
      ReadingNotes.Subject.file(path: "/in/b", version: "1")
    )
    try await account(.killed(signal: SIGSEGV), [a])
    #expect(try ledger.refusals().map(\.instance.file) == ["/in/a"])
    try await account(.killed(signal: SIGILL), [.association(association), b])
    #expect(try ledger.crashSuspicion(ofFile: "/in/b", version: "1") == .suspected)
    try await account(.killed(signal: SIGILL), [.association(association), b])
    #expect(try ledger.refusals().map(\.instance.file) == ["/in/a", "/in/b"])
  }

  @Test func anEndIsToldInWords() {
    #expect("\(ReceiverProcess.End.killed(signal: SIGSEGV))".contains("signal 11 (Segmentation"))
    #expect(ReceiverProcess.End.exited(1).isCrash && !ReceiverProcess.End.exited(0).isCrash)
    #expect(!ReceiverProcess.End.killed(signal: SIGTERM).isCrash)
    #expect(!ReceiverProcess.End.killed(signal: SIGKILL).isFaultOfProgram)
    let hung = ReceiverProcess.End.hung(.init(reason: "it has not answered", isOfReading: false))
    #expect(hung.isCrash && !hung.isFaultOfProgram)
    #expect("\(hung)" == "hung and was ended: it has not answered")
    let reading = SignsOfLife.Fault(reason: "a reading has not gone on", isOfReading: true)
    #expect(ReceiverProcess.End.hung(reading).isFaultOfProgram)
  }
}
