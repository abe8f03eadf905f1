import DICOMNetwork
import Foundation
import Ingest
import JobLedger
import Logging
import SeriesReading
import ServiceLifecycle

/// Sends the results in the outbox to their destinations by C-STORE, until they have arrived.
public struct Delivery: Service {
  private let state: StateDirectory
  private let ledger: Ledger
  private let destinations: [String: Peer]
  private let scu: StorageSCU
  private let logger: Logger

  public init(
    state: StateDirectory, ledger: Ledger, destinations: [String: Peer],
    callingAETitle: String, logger: Logger
  ) {
    self.state = state
    self.ledger = ledger
    self.destinations = destinations
    self.scu = StorageSCU(callingAETitle: callingAETitle)
    self.logger = logger
  }

  public func run() async throws {
    // One loop for each destination: one that is unreachable does not hold up the others.
    await withDiscardingTaskGroup { group in
      for destination in destinations.keys {
        group.addTask {
          await repeatUntilShutdown(every: .milliseconds(500), logger: logger) {
            try await deliverNext(to: destination)
          }
        }
      }
    }
  }

  /// Sends the result that is due longest, to the given destination or of the given job.
  ///
  /// - Returns: false when none is due.
  public func deliverNext(to destination: String? = nil, job: Int64? = nil) async throws -> Bool {
    guard let delivery = try ledger.claimDelivery(destination: destination, job: job) else {
      return false
    }
    let metadata: Logger.Metadata = [
      "job": "\(delivery.job)", "destination": "\(delivery.destination)",
      "attempt": "\(delivery.attempt)",
    ]
    let warning: String?
    do {
      warning = try await send(delivery)
    } catch {
      logger.warning("result not delivered: \(error)", metadata: metadata)
      try await retryingLedgerWrite(logger) {
        try ledger.markDeliveryFailed(
          delivery, DeliveryFailure(error), error: "\(error)", isPermanent: isPermanent(error))
      }
      return true
    }
    try await retryingLedgerWrite(logger) { try ledger.markDelivered(delivery, warning: warning) }
    logger.info("result delivered", metadata: metadata)
    return true
  }

  /// - Returns: what the destination reported besides success.
  private func send(_ delivery: ClaimedDelivery) async throws -> String? {
    guard let peer = destinations[delivery.destination] else {
      throw DeliveryError.unknownDestination(delivery.destination)
    }
    let files = delivery.objects.map { state.file($0.path) }
    for (file, object) in zip(files, delivery.objects)
    where try hexadecimalSHA256(ofFile: file) != object.sha256 {
      throw DeliveryError.notWhatWasProved(path: file.path)
    }
    let answers = try await scu.store(files.map(\.path), to: peer)
    guard answers.count == files.count else {
      throw DeliveryError.notSent(peer: peer, reason: "nothing was sent")
    }
    var warning: String?
    for answer in answers {
      switch answer {
      case .stored: break
      case .alreadyStored: warning = warning ?? "0x0111: it had the object already"
      case .storedWithWarning(let status, let message):
        warning = warning ?? String(format: "warning 0x%04X: ", status) + message
      case .refused(let status, let message):
        throw DeliveryError.refused(peer: peer, status: status, message: message)
      case .notSent(let reason): throw DeliveryError.notSent(peer: peer, reason: reason)
      case .notAccepted(let reason): throw DeliveryError.notAccepted(peer: peer, reason: reason)
      }
    }
    return warning
  }
}

extension DeliveryFailure {
  /// What the destination has to do with an error of a delivery; nil where the fault is on our side.
  fileprivate init?(_ error: any Error) {
    switch error {
    case DeliveryError.refused, DeliveryError.notAccepted, DICOMNetworkError.rejected:
      self = .refused
    case DeliveryError.notSent, DICOMNetworkError.noAssociation: self = .unreachable
    default: return nil
    }
  }
}

/// Whether trying again by itself is of no use: what is wrong has to be mended first. Of statuses only
/// 0xA7xx, out of resources, passes (PS3.4 B.2.3).
private func isPermanent(_ error: any Error) -> Bool {
  switch error {
  case DeliveryError.refused(_, let status, _): !(0xA700...0xA7FF).contains(status)
  case DeliveryError.notAccepted, DeliveryError.unknownDestination, DeliveryError.notWhatWasProved,
    DICOMNetworkError.rejected:
    true
  default: false
  }
}

/// Why a result is still in the outbox.
public enum DeliveryError: Error, CustomStringConvertible {
  case unknownDestination(String)
  case refused(peer: Peer, status: UInt16, message: String)
  case notSent(peer: Peer, reason: String)
  /// No presentation context was accepted for it.
  case notAccepted(peer: Peer, reason: String)
  case notWhatWasProved(path: String)

  public var description: String {
    switch self {
    case .unknownDestination(let name):
      "the configuration has no destination \"\(name)\" any more"
    case .refused(let peer, let status, let message):
      "\(peer) refused it with " + String(format: "0x%04X: ", status) + message
    case .notSent(let peer, let reason), .notAccepted(let peer, let reason): "\(peer): \(reason)"
    case .notWhatWasProved(let path):
      "\(path): the file was changed since it was proved; reprocess the study"
    }
  }
}
