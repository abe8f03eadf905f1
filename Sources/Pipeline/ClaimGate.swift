import Synchronization

/// Keeps the many places of a cluster from each asking the ledger what is due: where one has just found nothing, the
/// others do not look.
final class ClaimGate: Sendable {
  private let found = Mutex<ContinuousClock.Instant?>(nil)
  private let pause: Duration

  /// - Parameter pause: shorter than a place waits between two looks, so that one alone is never kept from looking.
  init(pause: Duration = .milliseconds(400)) { self.pause = pause }

  var isOpen: Bool {
    found.withLock { $0.map { $0.duration(to: .now) >= pause } ?? true }
  }

  /// Nothing is due now.
  func close() { found.withLock { $0 = .now } }
}
