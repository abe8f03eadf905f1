import Foundation
import FuzzSupport

@testable import Checkpoints

/// Hands the reader of checkpoints and plans whatever libFuzzer makes. Every outcome but a crash,
/// a hang or unbounded memory is right.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let raw = UnsafeRawBufferPointer(start: start, count: count)
  let bytes = Array(raw)
  // As plans, and as the pickle of a checkpoint without its container's checksums.
  _ = try? TrainingPlans(pickle: bytes, path: "fuzz")
  if let document = try? PickleReader.document(bytes, file: "fuzz") {
    _ = try? CheckpointContents(document, path: "fuzz")
  }
  // As a file of any container.
  guard let path = scratchFile(raw), let checkpoint = try? Checkpoint.open(path: path) else {
    return 0
  }
  for name in checkpoint.tensorNames {
    if let values = try? checkpoint.floats(name), let shape = checkpoint.entry(name)?.shape {
      precondition(values.count == shape.reduce(1, *), "a tensor's values do not fill its shape")
    }
  }
  return 0
}
