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
    // Fails as every allocation does, or where libcrypto has no SHA-256.
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      preconditionFailure("libcrypto cannot compute SHA-256")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  public mutating func update(bufferPointer bytes: UnsafeRawBufferPointer) {
    EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
  }

  public mutating func update(data: some ContiguousBytes) {
    data.withUnsafeBytes { update(bufferPointer: $0) }
  }

  public mutating func update(data: [UInt8]) {
    data.withUnsafeBytes { update(bufferPointer: $0) }
  }

  public consuming func finalize() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: Self.byteCount)
    EVP_DigestFinal_ex(context, &digest, nil)
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
    guard EVP_Digest(bytes.baseAddress, bytes.count, &digest, nil, EVP_sha1(), nil) == 1 else {
      preconditionFailure("libcrypto cannot compute SHA-1")
    }
  }
  return digest
}
