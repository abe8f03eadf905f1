import Foundation

// Compiled together with Sources/Checkpoints by Scripts/fuzz.sh; not part of the package.

/// Hands the reader of checkpoints and plans whatever libFuzzer makes. Every outcome but a crash,
/// a hang or unbounded memory is right.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  // As plans, and as the pickle of a checkpoint without its container's checksums.
  _ = try? TrainingPlans(pickle: bytes, path: "fuzz")
  if let document = try? PickleReader.document(bytes, file: "fuzz") {
    _ = try? CheckpointContents(document, path: "fuzz")
  }
  // As a file of any container.
  guard let path = scratchFile(bytes), let checkpoint = try? Checkpoint.open(path: path) else {
    return 0
  }
  for name in checkpoint.tensorNames {
    if let values = try? checkpoint.floats(name), let shape = checkpoint.entry(name)?.shape {
      precondition(values.count == shape.reduce(1, *), "a tensor's values do not fill its shape")
    }
  }
  return 0
}

/// A file in memory with these bytes.
private func scratchFile(_ bytes: [UInt8]) -> String? {
  let path = "/dev/shm/segmentd-fuzz-\(getpid())"
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  return bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == bytes.count
    ? path : nil
}
