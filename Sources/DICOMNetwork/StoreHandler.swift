/// An object that came by C-STORE (PS3.7 9.1.1); its file is complete and synced.
public struct ReceivedObject: Sendable {
  /// The file, which belongs to the handler from now on, whatever it answers.
  public var path: String
  public var sopClassUID: String
  public var sopInstanceUID: String
  public var transferSyntaxUID: String
  public var callingAETitle: String
  public var peerAddress: String
}

/// The status of a C-STORE response (PS3.4 B.2.3, PS3.7 C).
public enum StoreStatus: UInt16, Sendable {
  case success = 0x0000
  /// Refused: out of resources. The peer may try again later.
  case outOfResources = 0xA700
  /// Error: the dataset does not match its SOP class.
  case doesNotMatch = 0xA900
  /// Error: the dataset cannot be understood.
  case cannotUnderstand = 0xC000
}

/// Decides what becomes of a received object.
public protocol StoreHandler: Sendable {
  /// The status for the response, which is sent after the return. Called on the association's own
  /// thread, so that it may block.
  func store(_ object: ReceivedObject) -> StoreStatus
}

/// The beginning or end of an association.
public struct AssociationEvent: Sendable {
  public enum Kind: Int32, Sendable {
    case accepted = 0
    case rejected, released, aborted, failed
  }
  public var kind: Kind
  public var callingAETitle: String
  public var peerAddress: String
  /// Why it was rejected or ended early.
  public var message: String
  public var stored: Int
  public var refused: Int
}
