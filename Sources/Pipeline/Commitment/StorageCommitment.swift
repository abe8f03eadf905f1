import DICOMNetwork
import Foundation
import Ingest
import JobLedger
import Logging
import ServiceLifecycle
import Synchronization

/// The storage commitment SCP (PS3.4 J): says which objects are here as they were received. It takes the
/// reports of other SCPs too, on results that were sent to them.
///
/// A request is in the ledger before it is answered, and its objects are hashed afterwards. The report
/// goes over the association of the request while that is open, and over one of ours after that; it is
/// tried again until it has arrived, also after a restart.
public final class StorageCommitment: CommitmentHandler, Service {
  /// Requests of this process whose associations are open.
  private struct Open {
    /// The request's association, by its number.
    var associations: [Int64: UInt64] = [:]
    /// Requests whose report may be sent over their association, and has not been.
    var ready: Set<Int64> = []
  }

  private let ledger: Ledger
  private let spool: SpoolCheck
  private let addresses: [String: Peer]
  private let reporter: CommitmentReporter
  /// What others report on what we asked for.
  private let reports: CommitmentReports
  private let logger: Logger
  /// Asks elsewhere about objects that are not held here.
  private let further: (@Sendable ([CommitmentRecord.Reference]) async throws -> [Int?])?
  private let open = Mutex(Open())

  /// - Parameters:
  ///   - ledger: the ledger.
  ///   - state: the state directory, for the files of the spool.
  ///   - addresses: where reports go, by AE title.
  ///   - callingAETitle: by which we call for a report.
  ///   - logger: is told of each report.
  ///   - further: tells of objects that are not held here whether they are held elsewhere, by Failure Reason
  ///     (0008,1197), nil where they are; nil where there is no elsewhere. What it throws is tried again.
  public init(
    ledger: Ledger, state: StateDirectory, addresses: [String: Peer], callingAETitle: String,
    logger: Logger,
    further: (@Sendable ([CommitmentRecord.Reference]) async throws -> [Int?])? = nil
  ) {
    self.further = further
    self.ledger = ledger
    self.spool = SpoolCheck(state: state)
    self.addresses = addresses
    self.reporter = CommitmentReporter(callingAETitle: callingAETitle)
    self.logger = logger
    reports = CommitmentReports(state: state, ledger: ledger, logger: logger)
  }

  public func request(_ request: CommitmentRequest) -> ActionStatus {
    do {
      let id = try ledger.recordCommitment(
        transactionUID: request.transactionUID,
        callingAETitle: request.association.callingAETitle,
        peerAddress: request.association.peerAddress,
        references: request.references.map {
          .init(sopClassUID: $0.sopClassUID, sopInstanceUID: $0.sopInstanceUID)
        })
      open.withLock { $0.associations[id] = request.association.number }
      return .success
    } catch {
      logger.error("\(error); a request for storage commitment is refused")
      return .resourceLimitation
    }
  }

  public func nextReport(over association: Association) -> CommitmentReport? {
    let id = open.withLock { open in
      let id = open.ready.sorted().first { open.associations[$0] == association.number }
      if let id { open.ready.remove(id) }
      return id
    }
    guard let id, let record = try? ledger.readyCommitment(id) else { return nil }
    return CommitmentReport(record)
  }

  public func reported(_ number: Int64, status: UInt16) {
    settle(number, status, over: "the association of the request")
    // Only now: while it is due in the ledger, nobody else may send it.
    open.withLock { $0.associations[number] = nil }
  }

  public func take(_ report: ReportedCommitment, over association: Association) -> ActionStatus {
    reports.take(report)
  }

  public func ended(_ association: Association) {
    open.withLock { open in
      let requests = open.associations.filter { $0.value == association.number }.keys
      for id in requests {
        open.associations[id] = nil
        open.ready.remove(id)
      }
    }
  }

  public func run() async throws {
    await withDiscardingTaskGroup { group in
      group.addTask { [self] in
        await repeatUntilShutdown(every: .milliseconds(250), logger: logger) {
          try await self.verifyNext()
        }
      }
      group.addTask { [self] in
        await repeatUntilShutdown(every: .milliseconds(500), logger: logger) {
          try await self.reportNext()
        }
      }
    }
  }

  /// Looks at the objects of the oldest request.
  ///
  /// - Returns: false where there is none.
  func verifyNext() async throws -> Bool {
    guard let request = try ledger.requestedCommitment() else { return false }
    var reasons = try await CommitmentVerification(ledger: ledger, spool: spool)
      .failureReasons(request.references)
    let missing = reasons.indices.filter { reasons[$0] != nil }
    if let further, !missing.isEmpty {
      let found = try await further(missing.map { request.references[$0] })
      for (index, reason) in zip(missing, found) where reason == nil { reasons[index] = nil }
    }
    try ledger.recordCommitmentOutcome(request.id, failureReasons: reasons)
    open.withLock { open in
      if open.associations[request.id] != nil { open.ready.insert(request.id) }
    }
    return true
  }

  /// Sends the report that is due longest over an association of ours.
  ///
  /// - Returns: false where there is none.
  func reportNext() async throws -> Bool {
    let due = try ledger.dueCommitments()
    let id = open.withLock { open in due.first { open.associations[$0] == nil } }
    guard let id, let record = try ledger.readyCommitment(id) else { return false }
    guard let peer = addresses[record.callingAETitle] else {
      fail(id, "no address of \(record.callingAETitle) is in storageCommitment.peers")
      return true
    }
    do throws(DICOMNetworkError) {
      settle(id, try await reporter.send(CommitmentReport(record), to: peer), over: "\(peer)")
    } catch {
      // At the end of the program it stays due.
      if Task.isCancelled { throw CancellationError() }
      fail(id, error.description)
    }
    return true
  }

  private func settle(_ id: Int64, _ status: UInt16, over way: String) {
    guard status == 0 else {
      let digits = String(status, radix: 16, uppercase: true)
      return fail(id, "the peer answered the report with status 0x\(digits) (\(way))")
    }
    do {
      try ledger.markReported(id)
      logger.info("storage commitment reported", metadata: ["request": "\(id)", "over": "\(way)"])
    } catch {
      logger.error("\(error); the report is sent again")
    }
  }

  private func fail(_ id: Int64, _ reason: String) {
    logger.warning("storage commitment not reported: \(reason)", metadata: ["request": "\(id)"])
    do { try ledger.markNotReported(id, error: reason) } catch { logger.error("\(error)") }
  }
}

extension CommitmentReport {
  fileprivate init(_ record: CommitmentRecord) {
    self.init(
      number: record.id, transactionUID: record.transactionUID,
      outcomes: record.references.map { reference in
        Outcome(
          reference: CommitmentReference(
            sopClassUID: reference.sopClassUID, sopInstanceUID: reference.sopInstanceUID),
          failure: reference.failureReason.map {
            CommitmentFailure(rawValue: UInt16(clamping: $0)) ?? .processingFailure
          })
      })
  }
}
