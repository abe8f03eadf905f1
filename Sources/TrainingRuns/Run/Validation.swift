import Evaluation
import Foundation
import Segmentation

/// How well a model does on held-out cases.
public struct ValidationScore: Sendable {
  /// A case and what is wrong with it.
  public struct Failure: Sendable, Equatable {
    public var name: String
    public var reason: String
  }

  public var cases: [CaseScore]
  /// Cases that could not be read or segmented.
  public var failures: [Failure]
  /// Cases that the model's limits refuse: they are scored all the same.
  public var refused: [Failure] = []

  /// Means over the cases.
  public var summary: EvaluationSummary { EvaluationSummary(cases) }

  /// The mean Dice of each label, in their order; not a number where no case counts.
  var dice: [Double] { summary.regions.map { $0.dice ?? .nan } }
}

/// Scores bundles on held-out cases by the inference that the daemon runs.
struct Validation {
  let cases: [CaseFiles]
  let threads: Int
  /// Channels and known labels of a case, on one grid.
  let read: (CaseFiles) throws -> TrainingCase

  /// Every case is segmented with the sliding window of the bundle and compared on its own voxels.
  ///
  /// - Parameters:
  ///   - bundle: whose weights are on disk.
  ///   - count: of the cases, evenly chosen; 0 for all.
  ///   - stop: asked between the cases.
  /// - Returns: nil where the stop was requested before the end.
  /// - Throws: ``TrainingError/nothingScored(reasons:)``, or the error with which the weights cannot be
  ///   loaded.
  func score(_ bundle: ModelBundle, cases count: Int = 0, stop: StopRequest) async throws
    -> ValidationScore?
  {
    let segmenter = try Segmenter(bundle: bundle, threads: threads)
    /// Without limits, for what these refuse.
    var open: Segmenter?
    var result = ValidationScore(cases: [], failures: [])
    for files in chosen(count) {
      if stop.isRequested { return nil }
      do {
        let item = try read(files)
        do {
          result.cases.append(try await score(item, segmenter))
        } catch let refusal as InputRefusal {
          result.refused.append(.init(name: files.name, reason: "\(refusal)"))
          let second = try open ?? Segmenter(bundle: bundle.withoutLimits, threads: threads)
          open = second
          result.cases.append(try await score(item, second))
        }
      } catch {
        result.failures.append(.init(name: files.name, reason: "\(error)"))
      }
    }
    guard !result.cases.isEmpty else {
      throw TrainingError.nothingScored(
        reasons: result.failures.map { "\($0.name): \($0.reason)" })
    }
    return result
  }

  private func score(_ item: TrainingCase, _ segmenter: Segmenter) async throws -> CaseScore {
    let warnings = ModelWarnings()
    let clock = ContinuousClock()
    let start = clock.now
    let found = try await segmenter.segment(item.channels, warnings: warnings)
    let seconds = (clock.now - start) / .seconds(1)
    let regions = segmenter.bundle.labels.map { Region(label: $0.value, name: $0.name) }
    return CaseScore(
      name: item.name, scores: try Evaluation.score(found, against: item.labels, regions: regions),
      seconds: seconds, warnings: warnings.all.map(\.description))
  }

  /// Evenly chosen cases.
  private func chosen(_ count: Int) -> [CaseFiles] {
    guard count > 0, count < cases.count else { return cases }
    return (0..<count).map { cases[(2 * $0 + 1) * cases.count / (2 * count)] }
  }
}

extension ModelBundle {
  /// The same model for whatever image and result.
  fileprivate var withoutLimits: ModelBundle {
    var bundle = self
    bundle.input = InputLimits(
      modalities: input.modalities, bodyParts: [], spacing: .any, extent: .any)
    for index in output.indices { bundle.output[index].accepted = nil }
    return bundle
  }
}

extension InputLimits.Range {
  /// All sizes that there are.
  static var any: InputLimits.Range {
    InputLimits.Range(min: [1e-6, 1e-6, 1e-6], max: [1e9, 1e9, 1e9])
  }
}
