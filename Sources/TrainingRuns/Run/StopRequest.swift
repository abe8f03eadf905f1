import Synchronization

/// Asks a training to end after the step in hand.
public final class StopRequest: Sendable {
  private let isMade = Atomic(false)

  public init() {}

  public var isRequested: Bool { isMade.load(ordering: .relaxed) }

  public func request() { isMade.store(true, ordering: .relaxed) }
}
