import HTTPTypes
import NIOCore
import NIOHTTPTypes
import Synchronization

/// A client's connection.
public final class Connection: Sendable {
  /// Why we closed a connection.
  public enum Fault: Sendable {
    /// The client was too slow.
    case timedOut
    /// It had to make room for another one.
    case displaced
    /// The server was told to stop.
    case shutDown
  }

  struct State {
    var hasRequest = false
    /// Whether the request has come as a whole.
    var isRequestWhole = false
    var idleSince = NIODeadline.now()
    var fault: Fault?
  }

  /// The client's, in numbers.
  public let address: String
  let channel: any Channel
  let state = Mutex(State())

  init(_ channel: any Channel) {
    self.channel = channel
    address = channel.remoteAddress?.ipAddress ?? "unknown"
  }

  /// Whether the request in hand has come to its end: the body of one that broke off ends as well.
  public var isRequestWhole: Bool { state.withLock { $0.isRequestWhole } }

  /// Nil where the client closed it, or nobody did.
  public var fault: Fault? { state.withLock { $0.fault } }

  /// Sends 100 Continue (RFC 9110 10.1.1): the client waits with its body for it.
  public func goOn() {
    channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .continue)), promise: nil)
  }

  func close(_ fault: Fault) {
    state.withLock { $0.fault = $0.fault ?? fault }
    channel.close(promise: nil)
  }
}

/// The open connections of a server.
final class Connections: Sendable {
  enum Admission { case admitted, rejected, dropped }

  private struct State {
    var admitted: [ObjectIdentifier: Connection] = [:]
    /// Connections beyond the limits that are told so.
    var rejected: Set<ObjectIdentifier> = []
  }

  let limits: ConnectionLimits
  private let state = Mutex(State())

  init(limits: ConnectionLimits) { self.limits = limits }

  /// Takes a new connection; where there is no place, the one that has been idle longest goes, of the
  /// same address where its share is used up.
  func admit(_ connection: Connection) -> Admission {
    let (admission, displaced) = state.withLock { state -> (Admission, Connection?) in
      let all = Array(state.admitted.values)
      let own = all.filter { $0.address == connection.address }
      var displaced: Connection?
      if own.count >= limits.connectionsPerAddress || all.count >= limits.connections {
        let candidates = own.count >= limits.connectionsPerAddress ? own : all
        displaced =
          candidates.map { ($0, $0.state.withLock { $0 }) }
          .filter { !$0.1.hasRequest }.min { $0.1.idleSince < $1.1.idleSince }?.0
        guard let displaced else {
          guard state.rejected.count < limits.connections else { return (.dropped, nil) }
          state.rejected.insert(ObjectIdentifier(connection.channel))
          return (.rejected, nil)
        }
        state.admitted[ObjectIdentifier(displaced.channel)] = nil
      }
      state.admitted[ObjectIdentifier(connection.channel)] = connection
      return (.admitted, displaced)
    }
    displaced?.close(.displaced)
    return admission
  }

  func remove(_ channel: any Channel) {
    state.withLock { state in
      state.admitted[ObjectIdentifier(channel)] = nil
      state.rejected.remove(ObjectIdentifier(channel))
    }
  }

  func connection(of channel: any Channel) -> Connection? {
    state.withLock { $0.admitted[ObjectIdentifier(channel)] }
  }

  /// Closes what is still open after a time.
  func closeAll(after grace: TimeAmount) {
    let open = state.withLock { Array($0.admitted.values) }
    for connection in open {
      connection.channel.eventLoop.scheduleTask(in: grace) { connection.close(.shutDown) }
    }
  }
}
