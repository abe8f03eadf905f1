import CDCMTK

/// What peers of a listener may cost.
///
/// A connection beyond a limit is not turned away where another one is idle: that one has to go.
public struct PeerLimits: Sendable, Equatable {
  public var associations = 32
  /// Of one address; nil for all but an eighth of ``associations``.
  public var associationsPerAddress: Int?
  /// Connections that have not sent a whole association request yet.
  public var waitingConnections = 64
  public var waitingConnectionsPerAddress = 16
  /// Seconds from the connection to the end of the association request, TLS handshake included.
  public var requestSeconds = 5
  /// Seconds of silence after which an association is aborted.
  public var idleSeconds = 120
  /// Seconds for one PDU, from its first byte to its last, and for a command set, from its first fragment.
  public var pduSeconds = 30
  /// Seconds for one object, from its request to its last byte.
  public var objectSeconds = 900
  /// Bytes of one object.
  public var objectBytes = 4 << 30
  /// Bytes that have to stay free on the disk: with less, objects are refused with 0xA700 and
  /// associations rejected for now.
  public var diskReserve = 0

  public init() {}

  var limits: cdcmtk_limits {
    let perAddress = associationsPerAddress ?? associations - associations / 8
    return cdcmtk_limits(
      maximum_associations: UInt32(clamping: associations),
      maximum_associations_per_address: UInt32(clamping: perAddress),
      maximum_waiting: UInt32(clamping: waitingConnections),
      maximum_waiting_per_address: UInt32(clamping: waitingConnectionsPerAddress),
      request_seconds: UInt32(clamping: requestSeconds),
      idle_seconds: UInt32(clamping: idleSeconds), pdu_seconds: UInt32(clamping: pduSeconds),
      object_seconds: UInt32(clamping: objectSeconds),
      object_bytes: UInt64(clamping: objectBytes), disk_reserve: UInt64(clamping: diskReserve))
  }
}
