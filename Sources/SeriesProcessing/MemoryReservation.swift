import Synchronization

/// Memory that a job may take; given back when nobody holds this any more.
public final class MemoryReservation: Sendable {
  /// What the process will have at its peak, in bytes.
  public let peak: Int
  private let bytes: Int
  private let reservations: MemoryReservations

  fileprivate init(peak: Int, bytes: Int, reservations: MemoryReservations) {
    self.peak = peak
    self.bytes = bytes
    self.reservations = reservations
  }

  deinit { reservations.remove(bytes) }
}

/// What the jobs that run in a process may take together.
final class MemoryReservations: Sendable {
  private let reserved = Mutex(0)

  /// - Parameters:
  ///   - bytes: of the job.
  ///   - check: finds what the process will have at its peak, given what the other jobs may take.
  func add(
    _ bytes: Int, _ check: (Int) throws(MemoryShortage) -> Int
  ) throws(MemoryShortage) -> MemoryReservation {
    let peak: Result<Int, MemoryShortage> = reserved.withLock { reserved in
      let result = Result { () throws(MemoryShortage) in try check(reserved) }
      if case .success = result { reserved += bytes }
      return result
    }
    return MemoryReservation(peak: try peak.get(), bytes: bytes, reservations: self)
  }

  fileprivate func remove(_ bytes: Int) { reserved.withLock { $0 -= bytes } }
}
