import DICOMNetwork
import Foundation
import Wording

/// Shows how far a retrieval is on standard error: a line rewritten on a terminal, else one a series.
final class RetrievalProgressLine: Sendable {
  private let onTerminal = isatty(STDERR_FILENO) == 1

  /// - Parameters:
  ///   - progress: of one series.
  ///   - number: of the series among `count`, from 1.
  ///   - count: of series.
  func show(_ progress: RetrievalProgress, series number: Int, of count: Int) {
    let total = progress.completed + progress.remaining
    let text =
      "series \(number) of \(count): \(progress.completed) of \(counted(total, "instance"))"
    if onTerminal {
      let end = progress.remaining == 0 ? "\n" : ""
      FileHandle.standardError.write(Data(("\r\u{1b}[K" + text + end).utf8))
    } else if progress.remaining == 0 {
      warn(text)
    }
  }
}
