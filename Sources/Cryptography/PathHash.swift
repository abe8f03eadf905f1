import Foundation

/// What logs and histories call a file whose path may name a patient, as one of a watch folder: "file" and the
/// first 16 hexadecimal digits of the SHA-256 of its whole path in UTF-8.
public func hashedFileName(_ path: String) -> String {
  "file "
    + SHA256.hash(data: Data(path.utf8)).prefix(8).map { String(format: "%02x", $0) }.joined()
}
