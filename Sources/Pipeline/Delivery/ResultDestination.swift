import DICOMNetwork
import Foundation
import JobLedger

/// An object of a result on its way out.
public struct OutgoingObject: Sendable, Equatable {
  public var sopInstanceUID: String
  /// Of its file.
  public var path: String
}

/// What became of an object that was sent.
public enum SendAnswer: Sendable {
  /// The destination has it; with a note where it did not answer with success alone.
  case stored(status: UInt16, note: String?)
  case failed(DeliveryFault, status: UInt16?)
  /// The destination does not take objects of its SOP class.
  case notSupported(DeliveryFault, status: UInt16?)
}

/// Why a destination has not taken a result, or has not proved that it keeps it.
public struct DeliveryFault: Error, Sendable, CustomStringConvertible {
  /// For an administrator; without patient data.
  public var description: String
  /// What the destination has to do with it; nil where the fault is ours.
  public var failure: DeliveryFailure?
  /// Whether trying again by itself is of no use: what is wrong has to be mended first.
  public var isPermanent = false
  /// Seconds that the destination asks to wait.
  public var retryAfter: TimeInterval = 0

  static func unreachable(_ description: String, retryAfter: TimeInterval = 0) -> DeliveryFault {
    DeliveryFault(description: description, failure: .unreachable, retryAfter: retryAfter)
  }

  static func refused(_ description: String, isPermanent: Bool = true) -> DeliveryFault {
    DeliveryFault(description: description, failure: .refused, isPermanent: isPermanent)
  }
}

/// Takes results, and may prove that it keeps them. Where none is asked for proof, its answers are believed.
public protocol ResultDestination: Sendable, CustomStringConvertible {
  /// How it proves that it keeps what it took; nil where it is not asked.
  var proof: ProofOfArrival? { get }

  /// Sends objects in this order.
  ///
  /// - Parameters:
  ///   - objects: one at least.
  ///   - answered: told of each answer, by the index of its object, before the next one is sent; may
  ///     block.
  /// - Returns: what became of each object.
  /// - Throws: where none was sent.
  func send(
    _ objects: [OutgoingObject], answered: @escaping @Sendable (Int, SendAnswer) -> Void
  ) async throws(DeliveryFault) -> [SendAnswer]

  /// Asks which of the objects it lists.
  ///
  /// - Returns: their SOP Instance UIDs.
  func listed(_ objects: [OutgoingObject]) async throws(DeliveryFault) -> Set<String>

  /// Asks it to commit itself to keep the objects. Its report may come before this returns, or later to the
  /// listener.
  ///
  /// - Parameters:
  ///   - transactionUID: never used before.
  ///   - objects: one at least.
  ///   - report: takes a report that comes at once.
  func requestCommitment(
    _ transactionUID: String, _ objects: [OutgoingObject],
    report: @escaping @Sendable (ReportedCommitment) -> ActionStatus
  ) async throws(DeliveryFault)
}
