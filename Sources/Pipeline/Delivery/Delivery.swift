import DICOM
import FileSystem
import Foundation
import Ingest
import JobLedger
import Logging
import SeriesReading
import ServiceLifecycle

/// Sends the results in the outbox to their destinations until they have arrived, and asks those for proof
/// that are to give it until they have given it.
public struct Delivery: Service {
  private let state: StateDirectory
  private let ledger: Ledger
  private let destinations: [String: any ResultDestination]
  private let pauses: ProofPauses
  private let reports: CommitmentReports
  private let logger: Logger
  /// Is told what is being sent; must not block.
  var willSend: @Sendable (ClaimedDelivery) -> Void = { _ in }

  /// When a destination is asked again for proof.
  public struct ProofPauses: Sendable {
    public var queries = RetryPolicy.queries
    public var commitments = RetryPolicy.commitments
    /// So many times in a row an object may be missing from the answer before it is sent again: an archive
    /// may list it later than it took it.
    public var missingAnswers = 3

    public init() {}
  }

  public init(
    state: StateDirectory, ledger: Ledger, destinations: [String: any ResultDestination],
    pauses: ProofPauses = ProofPauses(), logger: Logger
  ) {
    self.state = state
    self.ledger = ledger
    self.destinations = destinations
    self.pauses = pauses
    self.logger = logger
    reports = CommitmentReports(state: state, ledger: ledger, logger: logger)
  }

  public func run() async throws {
    // Copies that an earlier process was sending when it ended.
    for copies in [state.deidentified, state.added] {
      try? FileManager.default.removeItem(at: copies)
    }
    // Loops for each destination: one that is unreachable or hangs does not hold up the others, nor does
    // a question for proof hold up what is to be sent.
    await withDiscardingTaskGroup { group in
      for destination in destinations.keys {
        group.addTask {
          await repeatUntilShutdown(every: .milliseconds(500), logger: logger) {
            try await deliverNext(to: destination)
          }
        }
        group.addTask {
          await repeatUntilShutdown(every: .milliseconds(500), logger: logger) {
            try await proveNext(at: destination)
          }
        }
      }
      group.addTask {
        await repeatUntilShutdown(every: .seconds(60), logger: logger) {
          try ledger.holdDeliveries(toOthersThan: Set(destinations.keys), reason: Self.unknown)
          return false
        }
      }
    }
  }

  private static func unknown(_ destination: String) -> String {
    "the configuration has no destination \"\(destination)\" any more"
  }

  /// Sends the result that is due longest, to the given destination or of the given job.
  ///
  /// - Returns: false when none is due.
  public func deliverNext(to destination: String? = nil, job: Int64? = nil) async throws -> Bool {
    guard let delivery = try ledger.claimDelivery(destination: destination, job: job) else {
      return false
    }
    willSend(delivery)
    let metadata: Logger.Metadata = [
      "job": "\(delivery.job)", "study": "\(ledger.studyForLog(ofJob: delivery.job))",
      "destination": "\(delivery.destination)", "attempt": "\(delivery.attempt)",
    ]
    var answers: [SendAnswer] = []
    var fault: DeliveryFault?
    do {
      answers = try await send(delivery)
      let faults = zip(delivery.objects, answers).compactMap { $1.fault($0) }
      fault = faults.first(where: \.isPermanent) ?? faults.first
    } catch {
      fault = DeliveryFault(any: error)
    }
    let recorded = zip(delivery.objects, answers).map { ObjectAnswer($0, $1) }
    guard let fault else {
      let awaitsProof = destinations[delivery.destination]?.proof != nil
      try await retryingLedgerWrite(logger) {
        try ledger.markDelivered(
          delivery, answers: recorded, awaitsProof: awaitsProof,
          warning: recorded.filter { !$0.isDeclined }.compactMap(\.note).first)
      }
      logger.info(
        awaitsProof ? "result sent; proof is waited for" : "result delivered", metadata: metadata)
      return true
    }
    logger.warning("result not delivered: \(fault)", metadata: metadata)
    try await retryingLedgerWrite(logger) {
      try ledger.markDeliveryFailed(
        delivery, fault.failure, answers: recorded, error: fault.description,
        isPermanent: fault.isPermanent, shortestPause: fault.retryAfter)
    }
    return true
  }

  /// - Returns: what became of each object that the destination does not have yet.
  private func send(_ delivery: ClaimedDelivery) async throws -> [SendAnswer] {
    guard let destination = destinations[delivery.destination] else {
      throw DeliveryFault(description: Self.unknown(delivery.destination), isPermanent: true)
    }
    guard !delivery.objects.isEmpty else { return [] }
    for object in delivery.objects {
      let file = state.file(object.path)
      if let what = try fault(of: object, in: file) {
        throw DeliveryFault(
          description: "\(file.path): the file \(what) since it was proved; segmentd ledger repair "
            + "has the result made again",
          isPermanent: true)
      }
    }
    let answers = try await destination.send(outgoing(delivery.objects)) {
      [ledger, logger] index, answer in
      guard case .stored = answer, delivery.objects.indices.contains(index) else { return }
      do {
        try ledger.record(ObjectAnswer(delivery.objects[index], answer), of: delivery)
      } catch {
        logger.error("\(error); what arrived is written with the rest")
      }
    }
    guard answers.count == delivery.objects.count else {
      throw DeliveryFault.unreachable("\(destination): nothing was sent")
    }
    return answers
  }

  /// What became of a file of a result; nil where it is as it was proved.
  private func fault(of object: StoredObject, in file: URL) throws -> String? {
    do {
      return try hexadecimalSHA256(ofFile: file) == object.sha256 ? nil : "was changed"
    } catch {
      // It does not come back by itself, as a file does that cannot be read now.
      guard access(file.path, F_OK) != 0, [ENOENT, ENOTDIR].contains(errno) else { throw error }
      return "is gone"
    }
  }

  private func outgoing(_ objects: [StoredObject]) -> [OutgoingObject] {
    objects.map {
      OutgoingObject(sopInstanceUID: $0.sopInstanceUID ?? "", path: state.file($0.path).path)
    }
  }
}

// MARK: - Proof of arrival

extension Delivery {
  /// Asks a destination for proof that it keeps the result whose proof is due longest.
  ///
  /// - Parameters:
  ///   - destination: its name; nil for any.
  ///   - job: whose result; nil for any.
  /// - Returns: false when none is due.
  public func proveNext(at destination: String? = nil, job: Int64? = nil) async throws -> Bool {
    guard let name = destination else {
      for name in destinations.keys.sorted() where try await proveNext(at: name, job: job) {
        return true
      }
      return false
    }
    guard let destination = destinations[name] else { return false }
    let policy = destination.proof == .commitment ? pauses.commitments : pauses.queries
    guard let claim = try ledger.claimProof(destination: name, job: job, policy: policy) else {
      return false
    }
    do {
      try await prove(claim, destination)
    } catch {
      let fault = DeliveryFault(any: error)
      logger.warning(
        "it is not proved that a result is kept: \(fault)",
        metadata: [
          "job": "\(claim.job)", "study": "\(ledger.studyForLog(ofJob: claim.job))",
          "destination": "\(name)", "attempt": "\(claim.attempt)",
        ])
      try await retryingLedgerWrite(logger) {
        try ledger.markProofFailed(
          claim, fault.failure, error: fault.description, isPermanent: fault.isPermanent)
      }
    }
    return true
  }

  private func prove(_ claim: ClaimedProof, _ destination: any ResultDestination) async throws {
    guard let proof = destination.proof else {
      return try await retryingLedgerWrite(logger) { try ledger.markProofNeedless(claim) }
    }
    guard !claim.objects.isEmpty else {
      return try await record(claim, by: proof, kept: [])
    }
    let objects = outgoing(claim.objects)
    switch proof {
    case .query: try await query(destination, for: objects, claim)
    case .commitment:
      do {
        try await requestCommitment(of: destination, for: objects, claim)
      } catch let refusal as DeliveryFault where refusal.failure == .refused && refusal.isPermanent
      {
        logger.notice("\(refusal); it is asked by C-FIND", metadata: ["job": "\(claim.job)"])
        do {
          try await query(destination, for: objects, claim)
        } catch var fault as DeliveryFault where fault.failure != .missing {
          fault.description = "\(refusal); \(fault)"
          throw fault
        }
      }
    }
  }

  private func requestCommitment(
    of destination: any ResultDestination, for objects: [OutgoingObject], _ claim: ClaimedProof
  ) async throws {
    let transaction = DICOMUID.named("storage commitment \(UUID())")
    try await retryingLedgerWrite(logger) {
      try ledger.recordTransaction(transaction, of: claim)
    }
    try await destination.requestCommitment(transaction, objects) { [reports] in
      reports.take($0)
    }
  }

  private func query(
    _ destination: any ResultDestination, for objects: [OutgoingObject], _ claim: ClaimedProof
  ) async throws {
    let listed = try await destination.listed(objects)
    let missing = objects.filter { !listed.contains($0.sopInstanceUID) }
    let isGone = claim.missingAnswers + 1 >= pauses.missingAnswers
    try await record(
      claim, by: .query, kept: listed,
      missing: !isGone
        ? []
        : missing.map {
          MissingObject(
            sopInstanceUID: $0.sopInstanceUID,
            reason: "\(destination) does not list \($0.sopInstanceUID)")
        })
    if !missing.isEmpty, !isGone {
      throw DeliveryFault(
        description: "\(destination) does not list \(missing[0].sopInstanceUID) yet",
        failure: .missing)
    }
  }

  private func record(
    _ claim: ClaimedProof, by proof: ProofOfArrival, kept: Set<String>,
    missing: [MissingObject] = []
  ) async throws {
    try await retryingLedgerWrite(logger) {
      try ledger.recordProof(claim, by: proof, kept: kept, missing: missing)
    }
  }
}

extension DeliveryFault {
  /// Any other error is one of ours, which may pass.
  fileprivate init(any error: any Error) {
    self =
      error as? DeliveryFault
      ?? DeliveryFault(
        description: MachineFault(error)?.description ?? SystemError.text(of: error))
  }
}

extension SendAnswer {
  /// Why an object has to be sent again; nil where it arrived, and where the destination does without it.
  fileprivate func fault(_ object: StoredObject) -> DeliveryFault? {
    switch self {
    case .stored: nil
    case .failed(let fault, _): fault
    case .notSupported(let fault, _): object.kind.isOptional ? nil : fault
    }
  }
}

extension ObjectAnswer {
  fileprivate init(_ object: StoredObject, _ answer: SendAnswer) {
    let uid = object.sopInstanceUID ?? ""
    switch answer {
    case .stored(let status, let note):
      self.init(sopInstanceUID: uid, status: status, isStored: true, note: note)
    case .failed(let fault, let status):
      self.init(sopInstanceUID: uid, status: status, isStored: false, note: fault.description)
    case .notSupported(let fault, let status) where object.kind.isOptional:
      self.init(
        sopInstanceUID: uid, status: status, isStored: false, isDeclined: true,
        note: "it does not take a \(object.kind.name) (\(fault.description))")
    case .notSupported(let fault, let status):
      self.init(sopInstanceUID: uid, status: status, isStored: false, note: fault.description)
    }
  }
}
