import Foundation
import Results
import Terminology

/// The logs of a run, and their picture.
///
/// `log.csv` has a row for each step: step, seconds, loss, cross-entropy, learning rate, norm of the
/// gradient before clipping. `validation.csv` has one for each validation: step, seconds, mean Dice,
/// Dice of each label.
final class TrainingLogs {
  private let folder: RunFolder
  private let labels: [SegmentDescription]
  private let steps: RowLog
  private let validations: RowLog

  /// - Parameters:
  ///   - folder: of the run.
  ///   - labels: of the model.
  ///   - step: rows of later steps are removed: the resumed run writes them again.
  init(_ folder: RunFolder, labels: [SegmentDescription], after step: Int) throws(TrainingError) {
    self.folder = folder
    self.labels = labels
    steps = try RowLog(
      folder.log, header: ["step", "seconds", "loss", "crossEntropy", "rate", "gradientNorm"],
      after: step)
    validations = try RowLog(
      folder.validations,
      header: ["step", "seconds", "mean"] + labels.map { $0.name.filter { $0 != "," } },
      after: step)
  }

  /// - Returns: why the row could not be written yet, or nil.
  func add(
    step: Int, seconds: Double, loss: Double, crossEntropy: Double, rate: Double, norm: Double
  ) -> String? {
    steps.add([
      "\(step)", TrainingText.decimals(seconds, 2), "\(Float(loss))", "\(Float(crossEntropy))",
      "\(Float(rate))", "\(Float(norm))",
    ])
  }

  /// - Returns: why the row or the picture could not be written, or nil.
  func add(step: Int, seconds: Double, mean: Double, dice: [Double]) -> String? {
    let numbers = ([mean] + dice).map { TrainingText.decimals($0, 4) }
    let problem = validations.add(["\(step)", TrainingText.decimals(seconds, 2)] + numbers)
    return problem ?? draw()
  }

  /// Draws `curves.png`: the loss, the mean of some steps each, and Dice.
  ///
  /// - Returns: why it could not be written, or nil.
  func draw() -> String? {
    let losses = Self.numbers(of: folder.log)
    let width = max(1, losses.count / 300)
    let points = stride(from: 0, to: losses.count, by: width).map { start in
      let part = losses[start..<min(start + width, losses.count)]
      return (x: part[part.startIndex][0], y: part.reduce(0) { $0 + $1[2] } / Double(part.count))
    }
    let scores = Self.numbers(of: folder.validations)
    func curve(_ name: String, _ color: [UInt8], _ column: Int) -> CurvePicture.Curve {
      CurvePicture.Curve(
        name: name, color: color,
        points: scores.filter { $0.count > column }.map { ($0[0], $0[column]) })
    }
    let dice =
      [curve("mean", [90, 90, 90], 2)]
      + labels.enumerated().map { curve($1.name, $1.color, $0 + 3) }
    do {
      try CurvePicture.write(
        [
          .init(
            title: "Training loss",
            curves: [.init(name: "", color: [60, 110, 200], points: points)]
          ),
          .init(title: "Dice, held-out cases", curves: dice, range: 0...1),
        ], to: folder.curves.path)
      return nil
    } catch {
      return "\(error)"
    }
  }

  private static func numbers(of file: URL) -> [[Double]] {
    RowLog.rows(of: file).map { $0.text.split(separator: ",").map { Double($0) ?? .nan } }
      .filter { $0.count > 2 }
  }
}
