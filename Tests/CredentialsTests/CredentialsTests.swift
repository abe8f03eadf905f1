import Clocks
import Foundation
import Synchronization
import Testing

@testable import Credentials

@Suite struct CredentialsTests {
  private static let rounds = 210_000

  @Test func aHashIsWrittenAndRead() throws {
    let hash = try SecretHash(of: "geheim", rounds: Self.rounds)
    let read = try #require(SecretHash(hash.description))
    #expect(read == hash)
    #expect(read.matches("geheim"))
    #expect(!read.matches("geheim ") && !read.matches(""))
    // Salts differ.
    #expect(try SecretHash(of: "geheim", rounds: Self.rounds) != hash)
  }

  /// By another implementation: hashlib.pbkdf2_hmac("sha256", "pässword", 16 bytes 0…15, 210000).
  @Test func theHashIsPBKDF2() throws {
    let hash = try #require(
      SecretHash(
        "pbkdf2-sha256$210000$AAECAwQFBgcICQoLDA0ODw==$KzXzfGgCPjNSmILayf7fD0dCkqlOO5GnTZkUnYgPS1g="
      ))
    #expect(hash.matches("pässword"))
  }

  @Test(arguments: [
    "", "geheim", "pbkdf2-sha256$1000$AAECAwQFBgcICQoLDA0ODw==$AAECAwQFBgcICQoLDA0ODw==",
    "pbkdf2-sha256$600000$AAEC$AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=",
    "pbkdf2-sha256$99999999999$AAECAwQFBgcICQoLDA0ODw==$AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=",
    "pbkdf2-sha1$600000$AAECAwQFBgcICQoLDA0ODw==$AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=",
    "pbkdf2-sha256$600000$AAECAwQFBgcICQoLDA0ODw==$!",
  ]) func whatIsNoHash(text: String) {
    #expect(SecretHash(text) == nil)
  }

  @Test func knownAndUnknown() throws {
    let hash = try SecretHash(of: "right", rounds: Self.rounds)
    let check = CredentialCheck([
      Credential(name: "user", kind: .password, hash: hash),
      Credential(name: "gate", kind: .token, hash: hash),
    ])
    func answer(_ presented: PresentedCredential) -> CredentialCheck.Answer {
      check.check(presented, from: "10.0.0.1")
    }
    for _ in 0..<2 {  // by its hash, then by memory
      guard case .known(let user) = answer(.password(user: "user", "right")) else {
        Issue.record("the user is not known")
        return
      }
      #expect(user.name == "user")
      guard case .known(let gate) = answer(.token("right")) else {
        Issue.record("the token is not known")
        return
      }
      #expect(gate.name == "gate")
    }
    #expect(answer(.password(user: "user", "wrong")) == .unknown)
    // A token is nobody's password, and its holder no user.
    #expect(answer(.password(user: "gate", "right")) == .unknown)
    #expect(answer(.password(user: "nobody", "right")) == .unknown)
    #expect(answer(.token("wrong")) == .unknown)
  }

  @Test func whoFailsOftenWaits() throws {
    let time = Mutex(SteadyTime(seconds: 1000))
    let hash = try SecretHash(of: "right", rounds: Self.rounds)
    let check = CredentialCheck([Credential(name: "user", kind: .password, hash: hash)]) {
      time.withLock { $0 }
    }
    for number in 0..<CredentialCheck.maximumFailures {
      #expect(check.check(.token("guess \(number)"), from: "10.0.0.1") == .unknown)
    }
    let right = PresentedCredential.password(user: "user", "right")
    #expect(check.check(right, from: "10.0.0.1") == .tooManyFailures)
    // Others do not wait, and whoever is known is not kept out by a neighbour.
    guard case .known = check.check(right, from: "10.0.0.2") else {
      Issue.record("another address is kept out")
      return
    }
    guard case .known = check.check(right, from: "10.0.0.1") else {
      Issue.record("a password that is known is kept out")
      return
    }
    #expect(check.check(.token("wrong"), from: "10.0.0.1") == .tooManyFailures)
    time.withLock { $0.seconds += CredentialCheck.failureWindow + 1 }
    #expect(check.check(.token("wrong"), from: "10.0.0.1") == .unknown)
  }

  /// A listener with an old token, behind the same gateway as others, does not keep them out.
  @Test func theSameWrongSecretCountsOnce() throws {
    let time = Mutex(SteadyTime(seconds: 1000))
    let hash = try SecretHash(of: "right", rounds: Self.rounds)
    let check = CredentialCheck([
      Credential(name: "ward-1", kind: .token, hash: hash),
      Credential(name: "user", kind: .password, hash: hash),
    ]) { time.withLock { $0 } }
    let address = "10.0.0.1"
    for _ in 0..<100 { #expect(check.check(.token("old"), from: address) == .unknown) }
    guard case .known = check.check(.token("right"), from: address) else {
      Issue.record("a token is kept out by a neighbour's old one")
      return
    }
    // With nine more guesses there are ten: what was never recognised waits, as a guess has to.
    for number in 1..<CredentialCheck.maximumFailures {
      #expect(check.check(.token("guess \(number)"), from: address) == .unknown)
    }
    let right = PresentedCredential.password(user: "user", "right")
    #expect(check.check(right, from: address) == .tooManyFailures)
    #expect(check.check(.token("old"), from: address) == .unknown)
    time.withLock { $0.seconds += CredentialCheck.failureWindow + 1 }
    guard case .known = check.check(right, from: address) else {
      Issue.record("a password is kept out for longer than a minute")
      return
    }
  }
}
