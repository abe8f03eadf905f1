import Clocks
import Cryptography
import Foundation
import Synchronization
import WebServer

/// Somebody who has logged in.
struct Session: Sendable {
  let user: String
  let role: WebRole
  /// What each form of the session carries, so that no other site can send one.
  let csrfToken: String
  let beganAt: SteadyTime
  var usedAt: SteadyTime
  /// What the last action came to, for the next page.
  var notices: [String] = []
}

/// Who is logged in; kept in memory alone, so that a restart ends all sessions.
final class Sessions: Sendable {
  /// Seconds until a session is over however much it is used.
  private static let longest = 12.0 * 3600
  private static let mostSessions = 1000

  private let idleSeconds: Double
  private let now: @Sendable () -> SteadyTime
  private let sessions = Mutex<[String: Session]>([:])

  /// - Parameters:
  ///   - idleSeconds: without a request until a session is over.
  ///   - now: the time.
  init(idleSeconds: Double, now: @escaping @Sendable () -> SteadyTime = { .now }) {
    self.idleSeconds = idleSeconds
    self.now = now
  }

  /// Begins a session under an identifier that nobody has seen before.
  ///
  /// - Returns: its identifier, for the cookie.
  func begin(user: String, role: WebRole) -> String {
    let time = now()
    let session = Session(
      user: user, role: role, csrfToken: Self.secret(), beganAt: time, usedAt: time)
    let identifier = Self.secret()
    sessions.withLock { sessions in
      sessions = sessions.filter { isAlive($0.value, at: time) }
      if sessions.count >= Self.mostSessions,
        let oldest = sessions.min(by: { $0.value.usedAt < $1.value.usedAt })
      {
        sessions[oldest.key] = nil
      }
      sessions[identifier] = session
    }
    return identifier
  }

  /// The session of an identifier; nil where there is none or it is over.
  ///
  /// - Parameters:
  ///   - identifier: of the cookie.
  ///   - isUse: whether the session is used by that, and lasts on. What a page asks for by itself is no use: else a browser
  ///     that somebody has left would stay logged in.
  func session(_ identifier: String, isUse: Bool = true) -> Session? {
    let time = now()
    return sessions.withLock { sessions in
      guard var session = sessions[identifier] else { return nil }
      guard isAlive(session, at: time) else {
        sessions[identifier] = nil
        return nil
      }
      if isUse { session.usedAt = time }
      sessions[identifier] = session
      return session
    }
  }

  func end(_ identifier: String) { sessions.withLock { $0[identifier] = nil } }

  /// Leaves a notice for the next page of a session.
  func leave(_ notices: [String], in identifier: String) {
    sessions.withLock { $0[identifier]?.notices = notices }
  }

  /// The notices of a session, once.
  func takeNotices(of identifier: String) -> [String] {
    sessions.withLock { sessions in
      defer { sessions[identifier]?.notices = [] }
      return sessions[identifier]?.notices ?? []
    }
  }

  private func isAlive(_ session: Session, at time: SteadyTime) -> Bool {
    session.usedAt > time - idleSeconds && session.beganAt > time - Self.longest
  }

  /// 256 random bits.
  private static func secret() -> String {
    randomBytes(32).map { String(format: "%02x", $0) }.joined()
  }
}
