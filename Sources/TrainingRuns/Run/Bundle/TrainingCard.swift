import Evaluation
import Foundation
import Segmentation
import SeriesProcessing
import Wording

/// `CARD.md` of a model that was trained here: what it was trained with and how well it does.
struct TrainingCard {
  var bundle: ModelBundle
  var settings: RunSettings
  /// Rows of the table of origin.
  var origin: [(String, String)]
  /// Where the limits of input and output come from, in a sentence.
  var limits: String
  /// Tables of scores, each with its heading.
  var scores: [(heading: String, score: ValidationScore)]

  /// Text of names in a table: nothing from outside breaks it.
  private func cell(_ text: String) -> String {
    String(
      text.unicodeScalars.map { scalar in
        scalar == "|" || scalar == "`" || scalar.value < 0x20 || scalar.value == 0x7F
          ? "_" : Character(scalar)
      })
  }

  var text: String {
    """
    # \(bundle.name)

    \(bundle.summary)

    **Research use only.** Not a medical device; not validated for diagnosis or treatment.

    ## Origin
    | | |
    |---|---|
    \(origin.map { "| \(cell($0.0)) | \(cell($0.1)) |" }.joined(separator: "\n"))
    | licence | \(cell(bundle.licence)) |
    | data | \(cell(bundle.trainingData)) |
    | method | Shaker et al., UNETR++, IEEE TMI 2024, doi 10.1109/TMI.2024.3398728 |

    \(scores.map { "## \($0.heading)\n\(table($0.score))" }.joined(separator: "\n\n"))

    ## Limits
    \(limits) `model.yaml` has the numbers. Beyond `accepted` an input is refused, beyond `usual` a
    result carries a warning. What the training data do not show was never seen.

    ## Settings
    | key | value |
    |---|---|
    \(settings.values.filter { !$0.key.hasPrefix("model.") }.sorted { $0.key < $1.key }
      .map { "| \(cell($0.key)) | \(cell($0.value)) |" }.joined(separator: "\n"))

    """
  }

  private func table(_ score: ValidationScore) -> String {
    let rows = score.summary.regions.map { region in
      "| \(cell(region.region.name)) | \(number(region.dice, 4)) | \(number(region.worstDice, 4)) "
        + "| \(number(region.hd95, 2)) | \(number(region.worstHD95, 2)) |"
    }
    var notes = ""
    if let first = score.refused.first {
      notes +=
        "\n\nThe limits refuse \(score.refused.count) of them, which are scored all the same; "
        + "the first: \(cell(first.reason))"
    }
    if let first = score.failures.first {
      notes +=
        "\n\n\(score.failures.count) more could not be scored; the first: "
        + cell(first.reason)
    }
    return """
      \(counted(score.cases.count, "case")), HD95 in mm.

      | label | mean Dice | worst Dice | mean HD95 | worst HD95 |
      |---|---|---|---|---|
      \(rows.joined(separator: "\n"))
      | mean | \(number(score.summary.dice, 4)) | | \(number(score.summary.hd95, 2)) | |\(notes)
      """
  }

  private func number(_ value: Double?, _ decimals: Int) -> String {
    guard let value else { return "-" }
    return value.isFinite ? String(format: "%.\(decimals)f", value) : "infinite"
  }
}
