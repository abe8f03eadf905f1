import Foundation
import JobLedger

/// The files of a job's result that people are shown: those of the ledger or, of a result that is held as suspect,
/// those that were kept for whoever decides about it. The ledger has none of these, and nothing of them is sent.
struct ShownResult {
  struct Picture {
    /// From 1, in the path of its page.
    var number: Int
    /// Relative to the state directory, as all paths here.
    var path: String
  }

  var pictures: [Picture] = []
  var segmentations: [String] = []

  /// - Parameters:
  ///   - job: of the ledger.
  ///   - state: the state directory.
  init(_ job: JobSummary, in state: URL) {
    guard job.purgedAt == nil else { return }
    guard job.isHeldAsSuspect else {
      pictures = job.objects.enumerated().filter { $0.element.kind == .picture }
        .map { Picture(number: $0.offset + 1, path: $0.element.path) }
      segmentations = job.objects.filter { $0.kind == .segmentation }.map(\.path)
      return
    }
    let folder = "results/\(job.id)"
    let names =
      (try? FileManager.default.contentsOfDirectory(
        atPath: state.appendingPathComponent(folder).path)) ?? []
    pictures = names.filter { $0.hasSuffix(".png") }.sorted().enumerated()
      .map { Picture(number: $0.offset + 1, path: "\(folder)/\($0.element)") }
    segmentations = names.filter { $0.hasSuffix(".dcm") }.sorted().map { "\(folder)/\($0)" }
  }
}

extension JobSummary {
  /// Whether a person has to look at its result before anything is sent (`results.suspect: hold`).
  fileprivate var isHeldAsSuspect: Bool {
    state == "held" && objects.isEmpty && reason?.hasPrefix("suspect: ") == true
  }
}
