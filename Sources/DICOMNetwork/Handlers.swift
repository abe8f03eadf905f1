import Clocks
import FileSystem
import Foundation

/// The hash of a dataset as it came over the network.
public struct ReceivedHash: Sendable, Equatable {
  /// Where the dataset begins in the file, behind the file meta information that the listener wrote.
  public var offset: Int
  /// As 64 hexadecimal digits.
  public var sha256: String

  public init(offset: Int, sha256: String) {
    self.offset = offset
    self.sha256 = sha256
  }
}

/// An object that came by C-STORE (PS3.7 9.1.1). Its file is complete, unless ``contents`` are to be written
/// into it; it is not synced.
public struct ReceivedObject: Sendable {
  public var association: Association
  /// The file, which belongs to the handler from now on, whatever it answers.
  public var path: String
  /// Of the file, open for reading and writing until the handler answers; nil where it has to open the file.
  public var descriptor: Int32?
  public var sopClassUID: String
  public var sopInstanceUID: String
  public var transferSyntaxUID: String
  /// When the request came.
  public var beganAt: SteadyTime
  /// Nil where the handler has to read the file for it.
  public var hash: ReceivedHash?
  /// The whole file where it is still empty: a small object whose file the handler opened
  /// (``StoreHandler/newFile()``), which writes it to ``descriptor``. It is memory of the listener, valid until
  /// the handler answers. Nil where the file is complete.
  public var contents: Data?

  public init(
    association: Association, path: String, descriptor: Int32? = nil, sopClassUID: String,
    sopInstanceUID: String, transferSyntaxUID: String, beganAt: SteadyTime,
    hash: ReceivedHash? = nil, contents: Data? = nil
  ) {
    self.association = association
    self.path = path
    self.descriptor = descriptor
    self.sopClassUID = sopClassUID
    self.sopInstanceUID = sopInstanceUID
    self.transferSyntaxUID = transferSyntaxUID
    self.beganAt = beganAt
    self.hash = hash
    self.contents = contents
  }
}

/// An object of a C-STORE that never reached the handler: its request was faulty, the disk was full,
/// or the association ended in the middle of it.
public struct RefusedObject: Sendable {
  public var association: Association
  /// From the command set; may be blank, and anything that a peer may send.
  public var sopClassUID: String
  public var sopInstanceUID: String
  public var transferSyntaxUID: String
  /// When the request came.
  public var beganAt: SteadyTime
  /// The first bytes of the dataset, as far as they came: 256 KiB at most.
  public var beginning: Data
  /// What is answered; nil where the association ended before the dataset did.
  public var status: UInt16?
  public var reason: String

  public init(
    association: Association, sopClassUID: String, sopInstanceUID: String,
    transferSyntaxUID: String, beganAt: SteadyTime, beginning: Data, status: UInt16?, reason: String
  ) {
    self.association = association
    self.sopClassUID = sopClassUID
    self.sopInstanceUID = sopInstanceUID
    self.transferSyntaxUID = transferSyntaxUID
    self.beganAt = beganAt
    self.beginning = beginning
    self.status = status
    self.reason = reason
  }
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

/// An empty file that is open for writing.
public struct ReceptionFile: Sendable {
  /// Belongs to the listener, which closes it.
  public var descriptor: Int32
  public var path: String

  public init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }
}

/// The C-STORE service (PS3.7 9.1.1). All methods are called on the association's own thread, so
/// that they may block.
public protocol StoreHandler: Sendable {
  /// Decides what happens to a received object: the status for the response, which is sent after
  /// the return.
  func store(_ object: ReceivedObject) -> StoreStatus

  /// Opens the file of an object that is about to come; nil for a new one in the listener's folder. The
  /// listener removes it where the object does not reach ``store(_:)``, and leaves it to ``store(_:)`` to write it
  /// where the object has ``ReceivedObject/contents``.
  ///
  /// - Throws: the error of the system, as on a full disk; the object is refused then.
  func newFile() throws(SystemError) -> ReceptionFile?

  /// Told of an object that does not reach ``store(_:)``, before it is answered.
  func refused(_ object: RefusedObject)
}

extension StoreHandler {
  /// Leaves the file to the listener.
  public func newFile() throws(SystemError) -> ReceptionFile? { nil }
}

/// The C-ECHO service (PS3.7 9.1.5).
public protocol EchoHandler: Sendable {
  /// The status for the response; 0 for success.
  func echo(_ association: Association) -> UInt16
}

/// Answers every C-ECHO with success.
public struct Verification: EchoHandler {
  public init() {}

  public func echo(_ association: Association) -> UInt16 { 0 }
}

/// What a listener calls for each DIMSE service.
public struct DIMSEHandlers: Sendable {
  public var store: any StoreHandler
  public var echo: any EchoHandler
  /// Nil where storage commitment is not offered.
  public var commitment: (any CommitmentHandler)?
  /// Whether an association is admitted that calls us by our AE title, though it is of none of the callers of
  /// the policy.
  public var admitsBesides: @Sendable (Association) -> Bool
  /// Told of the beginning and end of associations, on the association's own thread.
  public var association: @Sendable (AssociationEvent) -> Void

  public init(
    store: any StoreHandler, echo: any EchoHandler = Verification(),
    commitment: (any CommitmentHandler)? = nil,
    admitsBesides: @escaping @Sendable (Association) -> Bool = { _ in false },
    association: @escaping @Sendable (AssociationEvent) -> Void
  ) {
    self.store = store
    self.echo = echo
    self.commitment = commitment
    self.admitsBesides = admitsBesides
    self.association = association
  }
}
