import CDCMTK
import Clocks
import Foundation

/// An association that a peer opened (PS3.8 7.1). AE titles and address are fit for one line of a log.
public struct Association: Sendable, Equatable {
  /// Unique among the associations of this process.
  public var number: UInt64
  public var startedAt: SteadyTime
  public var callingAETitle: String
  public var calledAETitle: String
  public var peerAddress: String

  public init(
    number: UInt64, startedAt: SteadyTime, callingAETitle: String, calledAETitle: String,
    peerAddress: String
  ) {
    self.number = number
    self.startedAt = startedAt
    self.callingAETitle = callingAETitle
    self.calledAETitle = calledAETitle
    self.peerAddress = peerAddress
  }
}

extension Association {
  /// For what comes otherwise than over an association, as by HTTP, and is recorded in the same way.
  ///
  /// - Parameters:
  ///   - calling: names who sends, with 16 characters at most.
  ///   - called: names the service.
  public static func withoutDIMSE(calling: String, called: String) -> Association {
    Association(
      number: cdcmtk_next_association_number(), startedAt: .now,
      callingAETitle: String(calling.prefix(16)), calledAETitle: called, peerAddress: calling)
  }
}

/// How an association ended.
public enum AssociationEnd: Int32, Sendable, CaseIterable {
  /// By A-RELEASE of the peer (PS3.8 7.2).
  case released = 3
  /// By A-ABORT of the peer (PS3.8 7.3).
  case abortedByPeer
  /// The connection was closed or reset without either.
  case connectionLost
  /// The peer was silent for too long, and was aborted.
  case timedOut
  /// The peer violated the protocol, and was aborted.
  case aborted
  /// The listener was told to stop, and aborted.
  case shutDown
}

/// Something that happened to a connection or an association.
public struct AssociationEvent: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    case accepted
    /// By A-ASSOCIATE-RJ (PS3.8 9.3.4).
    case rejected
    /// The connection ended without an association.
    case noAssociation
    case ended(AssociationEnd)
  }
  public var kind: Kind
  public var association: Association
  /// Why it was rejected or ended early.
  public var message: String
  /// Instances that were acknowledged and that were refused or not received completely.
  public var stored: Int
  public var refused: Int

  public init(
    kind: Kind, association: Association, message: String, stored: Int, refused: Int
  ) {
    self.kind = kind
    self.association = association
    self.message = message
    self.stored = stored
    self.refused = refused
  }
}
