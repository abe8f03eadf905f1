import Dispatch
import Foundation

/// SIGTERM and SIGINT ask what runs to stop after the step in hand; the same signal a second time ends
/// the process at once where a person gives it.
final class StopSignals {
  private let sources: [any DispatchSourceSignal]

  /// - Parameters:
  ///   - secondEnds: whether the same signal a second time ends the process at once.
  ///   - stop: called for each signal.
  init(secondEnds: Bool = true, _ stop: @escaping @Sendable () -> Void) {
    sources = [SIGTERM, SIGINT].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        warn("stopping after the step in hand")
        stop()
        if secondEnds { signal(number, SIG_DFL) }
      }
      source.resume()
      return source
    }
  }

  deinit { for source in sources { source.cancel() } }
}
