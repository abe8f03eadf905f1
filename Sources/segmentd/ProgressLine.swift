import Foundation
import Segmentation
import SeriesProcessing

/// Shows progress on standard error: one line rewritten on a terminal, else some plain lines.
final class ProgressLine: Sendable {
  private let onTerminal = isatty(STDERR_FILENO) == 1
  private let steps = ProgressSteps()

  func show(_ progress: SegmentationProgress) {
    if onTerminal {
      let end = progress.patchesDone == progress.patchesTotal ? "\n" : ""
      FileHandle.standardError.write(Data(("\r\u{1b}[K" + progress.line + end).utf8))
    } else if steps.isNew(progress) {
      warn(progress.line)
    }
  }
}
