import COpenSSL
import Foundation

/// SHA-256 (FIPS 180-4) of bytes that come in parts, by OpenSSL's libcrypto.
///
/// ```swift
/// var hash = SHA256()
/// for part in parts { hash.update(data: part) }
/// let digest = hash.finalize()  // 32 bytes
/// ```
public struct SHA256: ~Copyable {
  /// Of a digest.
  public static let byteCount = 32

  private let context: OpaquePointer

  public init() {
    guard let context = EVP_MD_CTX_new() else { preconditionFailure("no memory for SHA-256") }
    self.context = context
    expect(EVP_DigestInit_ex(context, EVP_sha256(), nil), "SHA-256")
  }

  deinit { EVP_MD_CTX_free(context) }

  public mutating func update(bufferPointer bytes: UnsafeRawBufferPointer) {
    expect(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count), "SHA-256")
  }

  public mutating func update(data: some ContiguousBytes) {
    data.withUnsafeBytes { update(bufferPointer: $0) }
  }

  public mutating func update(data: [UInt8]) {
    data.withUnsafeBytes { update(bufferPointer: $0) }
  }

  public consuming func finalize() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: Self.byteCount)
    expect(EVP_DigestFinal_ex(context, &digest, nil), "SHA-256")
    return digest
  }

  public static func hash(data: some ContiguousBytes) -> [UInt8] {
    var hash = SHA256()
    hash.update(data: data)
    return hash.finalize()
  }
}

/// SHA-1 (FIPS 180-4), for UUIDs of version 5 (RFC 9562, 5.5) and nothing else.
public func sha1(_ data: Data) -> [UInt8] {
  var digest = [UInt8](repeating: 0, count: 20)
  data.withUnsafeBytes { bytes in
    expect(EVP_Digest(bytes.baseAddress, bytes.count, &digest, nil, EVP_sha1(), nil), "SHA-1")
  }
  return digest
}

/// Ends the program where libcrypto fails, which no data cause: it has no memory, or its installation lacks the
/// algorithm. A hash that was not computed must never be taken for one.
func expect(_ status: Int32, _ algorithm: String) {
  precondition(status == 1, "libcrypto cannot compute \(algorithm)")
}
