import Foundation
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Wording

/// Entries on their way to a syslog server. Nobody waits for it: what it does not take is kept within bounds,
/// then the oldest is lost, counted and said in the log.
final class SyslogQueue: Sendable {
  private struct State {
    var entries: [SyslogEntry] = []
    var lost = 0
    var isClosed = false
    /// Whether nothing more is sent.
    var hasEnded = false
  }

  static let capacity = 10_000

  private let server: SyslogServer
  private let capacity: Int
  private let logger: Logger
  private let state = Mutex(State())
  private let task = Mutex<Task<Void, Never>?>(nil)

  init(_ server: SyslogServer, capacity: Int = capacity, logger: Logger) {
    self.server = server
    self.capacity = capacity
    self.logger = logger
    task.withLock { $0 = Task { [self] in await run() } }
  }

  func add(_ entry: SyslogEntry) {
    state.withLock { state in
      if state.entries.count >= capacity {
        state.entries.removeFirst(state.entries.count - capacity + 1)
        state.lost += 1
      }
      state.entries.append(entry)
    }
  }

  /// Ends once everything is sent, or after a time.
  func close(within time: Duration) async {
    state.withLock { $0.isClosed = true }
    // A step of the connection does not end by being cancelled.
    let end = ContinuousClock.now + time
    while !state.withLock(\.hasEnded), .now < end {
      try? await Task.sleep(for: .milliseconds(20))
    }
    task.withLock { $0?.cancel() }
    let left = state.withLock { $0.entries.count + $0.lost }
    if left > 0 {
      logger.warning("\(counted(left, "entry", "entries")) of the audit log did not reach \(place)")
    }
  }

  private var place: String { "the syslog server \(server.host):\(server.port)" }

  private func run() async {
    var connection: SyslogConnection?
    var failures = 0
    while !Task.isCancelled {
      guard let entry = state.withLock({ $0.entries.first }) else {
        if state.withLock({ $0.isClosed }) { break }
        try? await Task.sleep(for: .milliseconds(100))
        continue
      }
      do {
        if connection?.channel.isActive != true {
          connection = nil
          connection = try await SyslogConnection.open(server)
        }
        try await connection?.send(entry)
        if failures > 0 { logger.notice("\(place) takes the audit log again") }
        failures = 0
        sayLost()
        // The first is another one where the oldest were lost meanwhile.
        state.withLock { if $0.entries.first == entry { $0.entries.removeFirst() } }
      } catch {
        await connection?.close()
        connection = nil
        failures += 1
        if failures == 1 || failures % 60 == 0 {
          logger.warning("\(place) does not take the audit log: \(Self.words(error))")
        }
        sayLost()
        let isClosed = state.withLock { $0.isClosed }
        try? await Task.sleep(for: isClosed ? .milliseconds(500) : .seconds(min(30, failures)))
      }
    }
    state.withLock { $0.hasEnded = true }
    await connection?.close()
  }

  private func sayLost() {
    let lost = state.withLock { state in
      defer { state.lost = 0 }
      return state.lost
    }
    guard lost > 0 else { return }
    let what = counted(lost, "entry of the audit log was", "entries of the audit log were")
    logger.error("\(what) lost to \(place), not to the files")
  }

  private static func words(_ error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
      guard let first = error.connectionErrors.first?.error as? IOError else {
        return "the host is not known, or does not answer"
      }
      return String(cString: strerror(first.errnoCode))
    case let error as IOError: return String(cString: strerror(error.errnoCode))
    case ChannelError.eof, ChannelError.ioOnClosedChannel: return "the connection was closed"
    default:
      let text = "\(error)"
      return text.contains("CERTIFICATE_VERIFY_FAILED")
        ? "its certificate is not trusted, or is not valid now" : text
    }
  }
}
