import Foundation
import Segmentation
import Synchronization

/// Shows patches done, rate and time left: one line rewritten on a terminal, else plain lines.
final class ProgressLine: Sendable {
  private let onTerminal = isatty(STDERR_FILENO) == 1
  private let lastTenth = Mutex(-1)

  func show(_ progress: SegmentationProgress) {
    let rate = progress.patchesPerSecond
    let text =
      "\(progress.patchesDone)/\(progress.patchesTotal) patches, "
      + String(format: "%.2f patches/s, ", rate) + Self.remaining(progress.remaining)
    if onTerminal {
      let end = progress.patchesDone == progress.patchesTotal ? "\n" : ""
      write("\r\u{1b}[K" + text + end)
      return
    }
    let tenth = progress.patchesDone * 10 / max(progress.patchesTotal, 1)
    let isNew = lastTenth.withLock { last in
      defer { last = tenth }
      return tenth != last
    }
    if isNew { write(text + "\n") }
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

  private static func remaining(_ time: Duration?) -> String {
    guard let time else { return "time left unknown" }
    let whole = Int(time.components.seconds)
    return whole < 60
      ? "\(whole) s left" : String(format: "%d min %02d s left", whole / 60, whole % 60)
  }
}
