import DICOMNetwork
import Foundation
import Synchronization
import TestSupport
import Testing

/// Storage commitment over the network; what is held is decided by the handler.
@Suite struct CommitmentTests {
  private static let ct = "1.2.840.10008.5.1.4.1.1.2"

  /// Holds the instances whose UID ends in 1.
  private final class Handler: CommitmentHandler {
    let requests = Mutex<[CommitmentRequest]>([])
    let answers = Mutex<[Int64: UInt16]>([:])
    private let given = Mutex<Set<Int>>([])
    private let status: ActionStatus
    private let reportsOverSame: Bool

    init(answering status: ActionStatus = .success, reportsOverSame: Bool = true) {
      self.status = status
      self.reportsOverSame = reportsOverSame
    }

    func request(_ request: CommitmentRequest) -> ActionStatus {
      requests.withLock { $0.append(request) }
      return status
    }

    func nextReport(over association: Association) -> CommitmentReport? {
      guard reportsOverSame else { return nil }
      let found = requests.withLock { $0 }.enumerated().first { index, request in
        request.association.number == association.number
          && given.withLock { $0.insert(index).inserted }
      }
      return found.map { report(Int64($0.offset), $0.element) }
    }

    func report(_ number: Int64, _ request: CommitmentRequest) -> CommitmentReport {
      CommitmentReport(
        number: number, transactionUID: request.transactionUID,
        outcomes: request.references.map {
          .init(
            reference: $0,
            failure: $0.sopInstanceUID.hasSuffix("1") ? nil : .noSuchObjectInstance)
        })
    }

    func ended(_ association: Association) {}

    func reported(_ number: Int64, status: UInt16) { answers.withLock { $0[number] = status } }
  }

  @Test func theReportComesOverTheAssociationOfTheRequest() async throws {
    let handler = Handler()
    let listener = try Listener(commitment: handler)
    let answer = try await CommitmentAnswer.asking(
      listener.port, at: try freePort(), "stay", [(Self.ct, "1.2.1"), (Self.ct, "1.2.2")])
    #expect(answer.status == 0)
    let report = try #require(answer.reports.first)
    #expect(answer.reports.count == 1 && report.over == "same")
    #expect(report.transaction == answer.asked && report.eventType == 2)
    #expect(report.held == ["1.2.1"] && report.failed == ["1.2.2": 0x0112])
    #expect(handler.answers.withLock { $0 } == [0: 0])
    #expect(listener.events.last?.kind == .ended(.released))
    await listener.stop()
  }

  @Test func theReportComesOverAnAssociationOfOurs() async throws {
    let handler = Handler(reportsOverSame: false)
    let listener = try Listener(commitment: handler)
    let port = try freePort()
    async let answer = CommitmentAnswer.asking(
      listener.port, at: port, "release", [(Self.ct, "1.2.1")])
    try await waitUntil("the request") { handler.requests.withLock { !$0.isEmpty } }
    let request = try #require(handler.requests.withLock { $0.first })
    let status = try await CommitmentReporter(callingAETitle: "SEGMENTD").send(
      handler.report(0, request), to: Peer(aeTitle: "ASKER", host: "127.0.0.1", port: port))
    #expect(status == 0)
    let report = try #require(try await answer.reports.first)
    #expect(report.over == "new" && report.eventType == 1)
    #expect(report.held == ["1.2.1"] && report.failed.isEmpty)
    await listener.stop()
  }

  @Test func requestsThatAreRefused() async throws {
    let full = try Listener(commitment: Handler(answering: .resourceLimitation))
    let refused = try await CommitmentAnswer.asking(
      full.port, at: try freePort(), "release", [(Self.ct, "1.2.1")])
    #expect(refused.status == 0x0213 && refused.reports.isEmpty)
    await full.stop()

    let listener = try Listener(commitment: Handler())
    for (references, status) in [([], 0x0120), ([(Self.ct, "no UID")], 0x0115)] {
      let answer = try await CommitmentAnswer.asking(
        listener.port, at: try freePort(), "release", references)
      #expect(answer.status == status)
    }
    await listener.stop()
  }

  /// Many more references than one PDU has room for.
  @Test func aLargeRequest() async throws {
    let handler = Handler()
    let listener = try Listener(commitment: handler)
    let answer = try await CommitmentAnswer.asking(
      listener.port, at: try freePort(), "stay", (0..<2000).map { (Self.ct, "1.2.3.\($0)") })
    let report = try #require(answer.reports.first)
    #expect(report.held.count == 200 && report.failed.count == 1800)
    await listener.stop()
  }

  @Test func aListenerWithoutItRefusesTheContext() async throws {
    let listener = try Listener()
    await #expect(throws: (any Error).self) {
      _ = try await CommitmentAnswer.asking(
        listener.port, at: try freePort(), "stay", [(Self.ct, "1.2.1")])
    }
    await listener.stop()
  }
}
