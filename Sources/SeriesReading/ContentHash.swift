import Crypto
import Foundation

/// SHA-256 as 64 hexadecimal digits.
package func hexadecimalSHA256(of bytes: Data) -> String {
  SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
}

/// SHA-256 of a file as 64 hexadecimal digits.
package func hexadecimalSHA256(ofFile file: URL) throws -> String {
  hexadecimalSHA256(of: try Data(contentsOf: file, options: .alwaysMapped))
}
