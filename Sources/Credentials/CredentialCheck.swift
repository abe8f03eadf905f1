import Clocks
import Cryptography
import Foundation
import Synchronization

/// Someone whose password or token is known by its hash.
public struct Credential: Sendable, Equatable {
  public enum Kind: Sendable, Equatable { case password, token }

  /// The user name; of a token, who has it.
  public var name: String
  public var kind: Kind
  public var hash: SecretHash

  public init(name: String, kind: Kind, hash: SecretHash) {
    self.name = name
    self.kind = kind
    self.hash = hash
  }
}

/// What a client shows of itself.
public enum PresentedCredential: Sendable {
  case password(user: String, String)
  case token(String)

  var secret: String {
    switch self {
    case .password(_, let password): password
    case .token(let token): token
    }
  }

  fileprivate var bytes: Data {
    switch self {
    case .password(let user, let password): Data("password\0\(user)\0\(password)".utf8)
    case .token(let token): Data("token\0\(token)".utf8)
    }
  }

  fileprivate func mayBe(_ credential: Credential) -> Bool {
    switch self {
    case .password(let user, _): credential.kind == .password && credential.name == user
    case .token: credential.kind == .token
    }
  }
}

/// Says whose a password or token is.
///
/// Hashing is slow on purpose: what was right once is recognised by a keyed hash in memory, one secret is
/// hashed at a time, and an address that shows several wrong ones has to wait. Several programs may share an
/// address, as behind one gateway: who is recognised never waits, and the same wrong secret counts once, so that
/// a program with an old token, which tries it again and again, keeps nobody out. Whoever guesses shows another
/// secret each time.
public final class CredentialCheck: Sendable {
  public enum Answer: Sendable, Equatable {
    case known(Credential)
    case unknown
    /// The address has shown too many different wrong ones, and may try again later.
    case tooManyFailures
  }

  private struct Failure {
    var at: SteadyTime
    /// The keyed hash of what was shown.
    var code: Data
  }

  private struct State {
    /// The keyed hash of what each credential was recognised by, by its place in the list.
    var recognised: [Int: Data] = [:]
    var failures: [String: [Failure]] = [:]
  }

  /// Different wrong secrets of one address within ``failureWindow``.
  public static let maximumFailures = 10
  /// In seconds.
  public static let failureWindow = 60.0
  private static let maximumAddresses = 10_000

  private let credentials: [Credential]
  private let processKey = randomBytes(32)
  private let state = Mutex(State())
  /// Held by whoever hashes.
  private let hashing = Mutex(())
  private let now: @Sendable () -> SteadyTime

  /// - Parameters:
  ///   - credentials: those that are known.
  ///   - now: the time.
  public init(_ credentials: [Credential], now: @escaping @Sendable () -> SteadyTime = { .now }) {
    self.credentials = credentials
    self.now = now
  }

  /// Whose a credential is. May block for some tenths of a second.
  ///
  /// - Parameters:
  ///   - presented: what the client sent.
  ///   - address: of the client.
  public func check(_ presented: PresentedCredential, from address: String) -> Answer {
    let code = hmacSHA256(presented.bytes, key: processKey)
    if let credential = recognised(code) { return .known(credential) }
    if let answer = refusal(of: code, from: address) { return answer }
    return hashing.withLock { _ in
      // Others of this address may have failed meanwhile.
      if let answer = refusal(of: code, from: address) { return answer }
      let candidates = credentials.indices.filter { presented.mayBe(credentials[$0]) }
      for index in candidates where credentials[index].hash.matches(presented.secret) {
        state.withLock { $0.recognised[index] = code }
        return .known(credentials[index])
      }
      // A name that nobody has takes as long as one that somebody has.
      if candidates.isEmpty { _ = credentials.first?.hash.matches(presented.secret) }
      noteFailure(of: code, from: address)
      return .unknown
    }
  }

  private func recognised(_ code: Data) -> Credential? {
    state.withLock { state in
      var found: Int?
      for (index, known) in state.recognised where isEqualInConstantTime(known, code) {
        found = index
      }
      return found.map { credentials[$0] }
    }
  }

  /// The answer to what need not be hashed; nil where it has to be.
  private func refusal(of code: Data, from address: String) -> Answer? {
    let start = now() - Self.failureWindow
    return state.withLock { state in
      let recent = (state.failures[address] ?? []).filter { $0.at > start }
      state.failures[address] = recent.isEmpty ? nil : recent
      if recent.contains(where: { isEqualInConstantTime($0.code, code) }) { return .unknown }
      return recent.count >= Self.maximumFailures ? .tooManyFailures : nil
    }
  }

  private func noteFailure(of code: Data, from address: String) {
    let time = now()
    state.withLock { state in
      if state.failures.count >= Self.maximumAddresses {
        state.failures = state.failures.filter { entry in
          entry.value.contains { $0.at > time - Self.failureWindow }
        }
        // So many addresses at once: nothing is known of the others any more.
        if state.failures.count >= Self.maximumAddresses { state.failures.removeAll() }
      }
      state.failures[address, default: []].append(Failure(at: time, code: code))
    }
  }
}
