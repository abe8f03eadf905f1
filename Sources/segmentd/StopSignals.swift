import Dispatch
import Foundation
import TrainingRuns

/// SIGTERM and SIGINT ask a training to end after the step in hand; the same signal a second time ends
/// the process at once.
final class StopSignals {
  private let sources: [any DispatchSourceSignal]

  init(_ request: StopRequest) {
    sources = [SIGTERM, SIGINT].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        warn("stopping after the step in hand")
        request.request()
        signal(number, SIG_DFL)
      }
      source.resume()
      return source
    }
  }

  deinit { for source in sources { source.cancel() } }
}
