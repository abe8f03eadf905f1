import Foundation

/// Writes all of some bytes to an open file, at its present offset.
///
/// - Throws: the error of the system, as on a full disk.
package func write(_ data: Data, to descriptor: Int32) throws(SystemError) {
  var done = 0
  let error: Int32 = data.withUnsafeBytes { bytes in
    while done < bytes.count, let start = bytes.baseAddress {
      let written = Foundation.write(descriptor, start + done, bytes.count - done)
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { return errno }
      done += written
    }
    return 0
  }
  if error != 0 { throw SystemError(error) }
}
