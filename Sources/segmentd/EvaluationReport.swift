import Evaluation
import Foundation
import Segmentation
import Wording

/// What `evaluate` prints: a table, or JSON with infinite distances as null.
struct EvaluationReport: Encodable {
  struct Mean: Encodable {
    var dice: Double?
    @Finite var hd95: Double
  }

  struct Label: Encodable {
    var label: UInt8?
    var key: String
    var name: String
    var dice: Double?
    @Finite var hd95: Double
    var worstDice: Double?
    @Finite var worstHd95: Double
    /// Found minus known, ml.
    var volumeDifference: Double
    var worstVolumeDifference: Double
    /// Cases where exactly one of the masks is empty.
    var oneEmpty: Int
  }

  struct CaseLabel: Encodable {
    var label: UInt8?
    var key: String
    var name: String
    var dice: Double?
    @Finite var hd95: Double
    var volumeDifference: Double
    var relativeVolumeDifference: Double?
  }

  struct Case: Encodable {
    var `case`: String
    var seconds: Double?
    var labels: [CaseLabel]
    var warnings: [String]
  }

  struct Failure: Encodable {
    var `case`: String
    var reason: String
  }

  var model: String?
  var modelVersion: String?
  var benchmark: Benchmark?
  var convention: ScoringConvention
  var mean: Mean
  var labels: [Label]
  var cases: [Case]
  /// Cases that were refused or could not be read; they are not in the means.
  var failed: [Failure]
  /// Median time of a segmentation.
  var secondsPerCase: Double?
  /// Of the whole run.
  var seconds: Double

  init(_ outcomes: [CaseOutcome], scoring: Scoring, bundle: ModelBundle?, elapsed: Duration) {
    let scores = outcomes.compactMap { try? $0.result.get() }
    let summary = EvaluationSummary(scores)
    model = bundle?.name
    modelVersion = bundle?.version
    benchmark = scoring.benchmark
    convention = scoring.convention
    mean = Mean(dice: summary.dice, hd95: summary.hd95)
    labels = summary.regions.map {
      Label(
        label: $0.region.label, key: $0.region.key, name: $0.region.name, dice: $0.dice,
        hd95: $0.hd95, worstDice: $0.worstDice, worstHd95: $0.worstHD95,
        volumeDifference: $0.volumeDifference, worstVolumeDifference: $0.worstVolumeDifference,
        oneEmpty: $0.oneEmptyCount)
    }
    cases = scores.map { score in
      Case(
        case: score.name, seconds: score.seconds,
        labels: score.scores.map {
          CaseLabel(
            label: $0.region.label, key: $0.region.key, name: $0.region.name, dice: $0.dice,
            hd95: $0.hd95, volumeDifference: $0.volumeDifference,
            relativeVolumeDifference: $0.relativeVolumeDifference)
        }, warnings: score.warnings)
    }
    failed = outcomes.compactMap { outcome in
      guard case .failure(let error) = outcome.result else { return nil }
      return Failure(case: outcome.name, reason: "\(error)")
    }
    secondsPerCase = summary.secondsPerCase
    seconds = elapsed / .seconds(1)
  }

  var text: String {
    let unit = convention.unit.rawValue
    var lines: [String] = []
    if !cases.isEmpty {
      let header = [
        "LABEL", "NAME", "DICE", "WORST", "HD95 \(unit)", "WORST", "VOLUME ml", "WORST",
      ]
      let rows = labels.map {
        [
          $0.key, $0.name, number($0.dice, 4), number($0.worstDice, 4), number($0.hd95, 3),
          number($0.worstHd95, 3), signed($0.volumeDifference), signed($0.worstVolumeDifference),
        ]
      }
      let last = ["", "mean", number(mean.dice, 4), "", number(mean.hd95, 3), "", "", ""]
      lines.append(formatTable([header] + rows + [last]))
    }
    lines.append(footer)
    lines += failed.map { "not scored: \($0.case): \($0.reason)" }
    return lines.joined(separator: "\n")
  }

  private var footer: String {
    let median = secondsPerCase.map { String(format: ", %.2f s a case (median)", $0) } ?? ""
    let total = String(format: ", %.1f s in all", seconds)
    let rule = benchmark.map { "; classes and convention of \($0.rawValue)" } ?? ""
    return "\(counted(cases.count, "case"))\(median)\(total)\(rule)"
  }

  private func number(_ value: Double?, _ decimals: Int) -> String {
    guard let value else { return "-" }
    return value.isFinite ? String(format: "%.\(decimals)f", value) : "infinite"
  }

  private func signed(_ value: Double) -> String { String(format: "%+.3f", value) }
}

/// A number that is null in JSON where it is infinite.
@propertyWrapper
struct Finite: Encodable {
  var wrappedValue: Double

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if wrappedValue.isFinite {
      try container.encode(wrappedValue)
    } else {
      try container.encodeNil()
    }
  }
}
