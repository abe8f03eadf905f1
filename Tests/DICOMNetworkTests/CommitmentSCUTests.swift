import DICOMNetwork
import Foundation
import Synchronization
import TestSupport
import Testing

/// We ask for storage commitment; the archive is pynetdicom's.
@Suite struct CommitmentSCUTests {
  private let references = ["1.2.1", "1.2.2"].map {
    CommitmentReference(sopClassUID: "1.2.840.10008.5.1.4.1.1.66.4", sopInstanceUID: $0)
  }

  /// Takes reports, over associations of ours and of the archive.
  private final class Taker: CommitmentHandler {
    let reports = Mutex<[ReportedCommitment]>([])

    func request(_ request: CommitmentRequest) -> ActionStatus { .processingFailure }
    func nextReport(over association: Association) -> CommitmentReport? { nil }
    func reported(_ number: Int64, status: UInt16) {}
    func ended(_ association: Association) {}

    func take(_ report: ReportedCommitment) -> ActionStatus {
      reports.withLock { $0.append(report) }
      return report.transactionUID == "2.25.9" ? .success : .invalidArgumentValue
    }

    func take(_ report: ReportedCommitment, over association: Association) -> ActionStatus {
      take(report)
    }
  }

  private func peer(_ archive: CommittingArchive) -> Peer {
    Peer(aeTitle: "PACS", host: "127.0.0.1", port: archive.port)
  }

  private func ask(_ archive: CommittingArchive, _ taker: Taker, patience: Int = 120)
    async throws -> UInt16
  {
    try await CommitmentSCU(callingAETitle: "SEGMENTD", patience: patience)
      .request("2.25.9", references, of: peer(archive)) { taker.take($0) }
  }

  @Test func theReportComesOverTheAssociationOfTheRequest() async throws {
    let archive = try await CommittingArchive("same", "fail=0112")
    let taker = Taker()
    #expect(try await ask(archive, taker) == 0)
    let report = try #require(taker.reports.withLock { $0.first })
    #expect(report.transactionUID == "2.25.9" && report.kept == [references[0]])
    #expect(report.failures.map(\.reference) == [references[1]])
    #expect(report.failures.map(\.reason) == [0x0112])
    #expect(archive.asked == [["1.2.1", "1.2.2"]])
    try await waitUntil("the answer", within: 900) { archive.reported == [0] }
    try await archive.stop()
  }

  /// The archive calls our listener, as SCP although it asks for the association (PS3.7 D.3.3.4).
  @Test func theReportComesToTheListener() async throws {
    let taker = Taker()
    let listener = try Listener(commitment: taker)
    let archive = try await CommittingArchive("new", "to=\(listener.port)", "bogus", "twice")
    #expect(try await ask(archive, taker, patience: 0) == 0)
    try await waitUntil("the reports", within: 900) { archive.reported.count == 3 }
    #expect(archive.reported == [0x0115, 0, 0])
    let reports = taker.reports.withLock { $0 }
    #expect(reports.count == 3 && reports[1] == reports[2])
    #expect(reports[1].kept == references && reports[1].failures.isEmpty)
    await listener.stop()
    #expect(listener.events.last?.kind == .ended(.released))
    try await archive.stop()
  }

  @Test func aRefusalIsToldWithItsStatus() async throws {
    let archive = try await CommittingArchive("same", "refuse=0213")
    let taker = Taker()
    #expect(try await ask(archive, taker) == 0x0213)
    #expect(taker.reports.withLock { $0.isEmpty })
    try await archive.stop()
  }

  @Test func anArchiveWithoutItIsNamed() async throws {
    let archive = try await CommittingArchive("same", "no-storage-commitment")
    let error = await #expect(throws: DICOMNetworkError.self) {
      _ = try await ask(archive, Taker())
    }
    guard case .rejected = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    try await archive.stop()
  }

  @Test func reasonsAreToldInWords() {
    #expect(CommitmentFailure.meaning(of: 0x0112) == "0x0112: no such object instance")
    #expect(CommitmentFailure.meaning(of: 0xABCD) == "0xABCD: unknown reason")
  }
}
