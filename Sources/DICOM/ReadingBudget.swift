import Dispatch
import Synchronization

/// Memory for reading headers and deflated datasets, shared by the whole process: small objects are
/// read at once, large ones wait for each other, so that many of them at the same time take no more
/// than a few.
enum ReadingBudget {
  /// What all readers may take together, in bytes.
  static let size = 1 << 30
  /// Whatever takes less does not wait.
  private static let unit = 16 << 20
  private static let units = size / unit

  private static let free = DispatchSemaphore(value: units)
  /// Two that each hold a part would wait for each other.
  private static let acquiring = Mutex(())

  /// Waits until `bytes` are free and runs `body` with them. Not to be nested.
  static func with<Value>(
    _ bytes: Int, _ body: () throws(DICOMError) -> Value
  ) throws(DICOMError) -> Value {
    let needed = min(bytes / unit, units)
    if needed > 0 {
      acquiring.withLock { _ in
        for _ in 0..<needed { free.wait() }
      }
    }
    defer {
      for _ in 0..<needed { free.signal() }
    }
    return try body()
  }
}
