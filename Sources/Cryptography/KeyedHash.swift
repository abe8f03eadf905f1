import COpenSSL
import Foundation

/// HMAC with SHA-256 (RFC 2104), by OpenSSL's libcrypto.
public func hmacSHA256(_ data: Data, key: [UInt8]) -> Data {
  var code = [UInt8](repeating: 0, count: SHA256.byteCount)
  data.withUnsafeBytes { bytes in
    let start = bytes.assumingMemoryBound(to: UInt8.self).baseAddress
    let result = HMAC(EVP_sha256(), key, Int32(key.count), start, bytes.count, &code, nil)
    expect(result == nil ? 0 : 1, "HMAC-SHA-256")
  }
  return Data(code)
}

/// PBKDF2 with HMAC-SHA-256 (RFC 8018, 5.2), by OpenSSL's libcrypto.
///
/// - Parameters:
///   - secret: a password.
///   - salt: random bytes.
///   - rounds: of the function, at least one.
///   - length: of the key, in bytes.
/// - Returns: nil where libcrypto refuses the parameters.
public func pbkdf2SHA256(_ secret: String, salt: Data, rounds: Int, length: Int) -> Data? {
  var key = [UInt8](repeating: 0, count: length)
  let secret = Array(secret.utf8)
  let status = secret.withUnsafeBytes { secret in
    PKCS5_PBKDF2_HMAC(
      secret.assumingMemoryBound(to: CChar.self).baseAddress, Int32(secret.count), [UInt8](salt),
      Int32(salt.count), Int32(clamping: rounds), EVP_sha256(), Int32(length), &key)
  }
  return status == 1 ? Data(key) : nil
}

/// Random bytes of the system's generator, for keys and salts.
public func randomBytes(_ count: Int) -> [UInt8] {
  var generator = SystemRandomNumberGenerator()
  return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
}
