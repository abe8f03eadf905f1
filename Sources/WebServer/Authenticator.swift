import Credentials
import DICOMNetwork
import Dispatch

/// Says whose a password or token is, and whether it is admitted from where it comes.
public struct Authenticator: Sendable {
  public enum Answer: Sendable {
    case admitted(WebAccess.Client)
    /// Known, and not admitted from this address.
    case elsewhere(name: String)
    case unknown
    /// The address has shown too many wrong ones.
    case tooManyFailures
  }

  public let access: WebAccess
  private let check: CredentialCheck

  /// - Parameter access: who is known.
  public init(_ access: WebAccess) {
    self.access = access
    check = CredentialCheck(access.clients.map(\.credential))
  }

  /// May take some tenths of a second.
  ///
  /// - Parameters:
  ///   - presented: what the client sent.
  ///   - address: of the client.
  public func identify(_ presented: PresentedCredential, from address: String) async -> Answer {
    let answer = await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(returning: check.check(presented, from: address))
      }
    }
    switch answer {
    case .tooManyFailures: return .tooManyFailures
    case .unknown: return .unknown
    case .known(let credential):
      let clients = access.clients.filter { $0.credential == credential }
      let admitted = clients.first { client in
        client.addresses.isEmpty || client.addresses.contains { $0.contains(address) }
      }
      return admitted.map { .admitted($0) } ?? .elsewhere(name: credential.name)
    }
  }
}
