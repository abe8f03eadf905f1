import Foundation
import Synchronization
import TrainingRuns
import Wording

/// Shows a training on standard error: on a terminal one line that is rewritten, else a line each
/// minute; everything else gets a line of its own.
final class TrainingProgressLine: Sendable {
  private static let interval = Duration.seconds(60)

  private let onTerminal = isatty(STDERR_FILENO) == 1
  /// When a line was written last, and whether the terminal's line is unfinished.
  private let last = Mutex<(time: ContinuousClock.Instant?, isOpen: Bool)>((nil, false))

  func show(_ event: TrainingEvent) {
    switch event {
    case .step(let progress): show(progress)
    case .prepared(let training, let heldOut, let bytes, let caseBytes):
      line(
        "\(counted(training, "training case")), \(heldOut) held out; memory: network \(bytes >> 20) MiB, "
          + "cases \(caseBytes >> 20) MiB")
    case .resumed(let step): line("resumed at step \(step)")
    case .note(let text): line(text)
    case .problem(let text): line("warning: \(text)")
    case .validated(let step, let labels, let dice, let mean):
      let parts = zip(labels, dice).map { "\($0) \(TrainingText.decimals($1, 4))" }
      line(
        "step \(step): Dice \(TrainingText.decimals(mean, 4)) (\(parts.joined(separator: ", ")))")
    }
  }

  private func show(_ progress: TrainingProgress) {
    last.withLock { last in
      let now = ContinuousClock.now
      let isEnd = progress.step == progress.steps
      if onTerminal {
        // Not more often than a person can read.
        if let time = last.time, now - time < .milliseconds(200), !isEnd { return }
        FileHandle.standardError.write(
          Data(("\r\u{1b}[K" + progress.line + (isEnd ? "\n" : "")).utf8))
        last = (now, !isEnd)
      } else {
        if let time = last.time, now - time < Self.interval, !isEnd { return }
        warn(progress.line)
        last = (now, false)
      }
    }
  }

  private func line(_ text: String) {
    last.withLock { last in
      if last.isOpen { FileHandle.standardError.write(Data("\r\u{1b}[K".utf8)) }
      last.isOpen = false
      warn(text)
    }
  }
}
