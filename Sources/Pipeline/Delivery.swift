import DICOMNetwork
import Foundation
import JobLedger
import Logging
import ServiceLifecycle

/// Sends what lies in the outbox to its destinations by C-STORE, until it has arrived.
public struct Delivery: Service {
  private let state: StateDirectory
  private let ledger: JobLedger
  private let destinations: [String: Peer]
  private let scu: StorageSCU
  private let logger: Logger

  public init(
    state: StateDirectory, ledger: JobLedger, destinations: [String: Peer],
    callingAETitle: String, logger: Logger
  ) {
    self.state = state
    self.ledger = ledger
    self.destinations = destinations
    self.scu = StorageSCU(callingAETitle: callingAETitle)
    self.logger = logger
  }

  public func run() async throws {
    await repeatUntilShutdown(every: .milliseconds(500), logger: logger) {
      try await deliverNext()
    }
  }

  /// Sends the result that is due longest, or one of the given job.
  ///
  /// - Returns: false when none is due.
  public func deliverNext(job: Int64? = nil) async throws -> Bool {
    guard let delivery = try ledger.claimDelivery(job: job) else { return false }
    let metadata: Logger.Metadata = [
      "job": "\(delivery.job)", "destination": "\(delivery.destination)",
      "attempt": "\(delivery.attempt)",
    ]
    do {
      let warning = try await send(delivery)
      try ledger.markDelivered(delivery, warning: warning)
      logger.info("result delivered", metadata: metadata)
    } catch {
      try ledger.markDeliveryFailed(delivery, error: "\(error)")
      logger.warning("result not delivered: \(error)", metadata: metadata)
    }
    return true
  }

  /// - Returns: what the destination said beside "success".
  private func send(_ delivery: ClaimedDelivery) async throws -> String? {
    guard let peer = destinations[delivery.destination] else {
      throw DeliveryError.unknownDestination(delivery.destination)
    }
    let file = state.file(delivery.path).path
    switch try await scu.store([file], to: peer).first {
    case .stored: return nil
    case .storedWithWarning(let status, let message):
      return String(format: "warning 0x%04X: ", status) + message
    case .refused(let status, let message):
      throw DeliveryError.refused(peer: peer, status: status, message: message)
    case .notSent(let reason): throw DeliveryError.notSent(peer: peer, reason: reason)
    case nil: throw DeliveryError.notSent(peer: peer, reason: "nothing was sent")
    }
  }
}

/// Why a result is still in the outbox.
public enum DeliveryError: Error, CustomStringConvertible {
  case unknownDestination(String)
  case refused(peer: Peer, status: UInt16, message: String)
  case notSent(peer: Peer, reason: String)

  public var description: String {
    switch self {
    case .unknownDestination(let name):
      "the configuration has no destination \"\(name)\" any more"
    case .refused(let peer, let status, let message):
      "\(peer) refused it with " + String(format: "0x%04X: ", status) + message
    case .notSent(let peer, let reason): "\(peer): \(reason)"
    }
  }
}
