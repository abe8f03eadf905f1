import Foundation

/// A file in memory with these bytes, of this process; nil where it cannot be written.
public func scratchFile(_ bytes: UnsafeRawBufferPointer, ending: String = "") -> String? {
  let path = "/dev/shm/segmentd-fuzz-\(getpid())\(ending)"
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  return write(descriptor, bytes.baseAddress, bytes.count) == bytes.count ? path : nil
}
