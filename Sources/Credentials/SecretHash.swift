import Cryptography
import Foundation

/// The hash of a password or token as a configuration keeps it: PBKDF2 with HMAC-SHA-256 (RFC 8018 5.2)
/// and a random salt, written as `pbkdf2-sha256$ROUNDS$SALT$KEY` with salt and key in base64.
public struct SecretHash: Sendable, Equatable, CustomStringConvertible {
  private static let name = "pbkdf2-sha256"
  private static let saltLength = 16
  private static let keyLength = 32
  /// What a hash may cost: fewer rounds protect nothing, more would occupy a processor for long.
  private static let acceptedRounds = 210_000...10_000_000
  /// Of new hashes (OWASP's recommendation for PBKDF2-HMAC-SHA256).
  public static let usualRounds = 600_000

  private let rounds: Int
  private let salt: Data
  private let key: Data

  /// Hashes a secret with a new salt.
  ///
  /// - Parameters:
  ///   - secret: a password or token.
  ///   - rounds: of PBKDF2, 210,000 at least.
  /// - Throws: an error where the cryptography library refuses.
  public init(of secret: String, rounds: Int = SecretHash.usualRounds) throws {
    self.rounds = rounds
    salt = Data(randomBytes(Self.saltLength))
    guard let key = Self.key(of: secret, salt: salt, rounds: rounds) else {
      throw SecretHashError()
    }
    self.key = key
  }

  /// Reads a hash as ``description`` writes it; nil where it is none, or costs too little or too much.
  public init?(_ text: String) {
    let parts = text.split(separator: "$", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 4, parts[0] == Self.name, let rounds = Int(parts[1]),
      Self.acceptedRounds.contains(rounds), let salt = Data(base64Encoded: parts[2]),
      let key = Data(base64Encoded: parts[3]), (Self.saltLength...64).contains(salt.count),
      key.count == Self.keyLength
    else { return nil }
    self.rounds = rounds
    self.salt = salt
    self.key = key
  }

  public var description: String {
    "\(Self.name)$\(rounds)$\(salt.base64EncodedString())$\(key.base64EncodedString())"
  }

  /// Whether a secret has this hash. Takes as long for a wrong one, some tenths of a second.
  public func matches(_ secret: String) -> Bool {
    guard let other = Self.key(of: secret, salt: salt, rounds: rounds) else { return false }
    return isEqualInConstantTime(key, other)
  }

  private static func key(of secret: String, salt: Data, rounds: Int) -> Data? {
    pbkdf2SHA256(secret, salt: salt, rounds: rounds, length: keyLength)
  }
}

/// A secret that the cryptography library does not hash.
struct SecretHashError: Error, CustomStringConvertible {
  var description: String { "the secret cannot be hashed" }
}

/// Compares without telling by its duration where two values differ.
func isEqualInConstantTime(_ a: Data, _ b: Data) -> Bool {
  guard a.count == b.count else { return false }
  return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
}
