import ArgumentParser
import Foundation
import TrainingRuns

struct TrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a model on the CPU: from images and labels to a verified bundle.",
    discussion: """
      The configuration names the data, the held-out cases, the model's labels and how it is trained; sizes of the \
      network, spacing and normalisation are derived from the data unless they are given. Config/train.yaml is an \
      example, the guide Training explains every key.

      log.csv, validation.csv and curves.png are written to OUTPUT during training, and at the end models/NAME, a \
      bundle with measured limits, its Dice and a card: segmentd run --models OUTPUT/models --model NAME …

      SIGTERM or Ctrl-C ends the training after the current step. --resume continues it as if it had not stopped; \
      after kill -9, from the last checkpoint.
      """
        + examples(
          "segmentd train --config train.yaml", "segmentd train --config train.yaml --resume"))

  @Option(
    help: ArgumentHelp("The training's configuration.", valueName: "file"), completion: .yaml)
  var config: String

  @Flag(help: "Continue the training in the configuration's output folder.")
  var resume = false

  @Option(help: "Worker threads instead of the configuration's; 0 for one per processor.")
  var threads: Int?

  @Flag(help: "Print the outcome as JSON.")
  var json = false

  func validate() throws {
    guard threads.map({ TrainingConfiguration.threadCounts.contains($0) }) ?? true else {
      throw ValidationError("--threads must be from 0 to 1024")
    }
  }

  func run() async throws {
    var configuration = try TrainingConfiguration.load(config)
    if let threads { configuration.threads = threads }
    let stop = StopRequest()
    let signals = StopSignals { stop.request() }
    let line = TrainingProgressLine()
    let report = try await ModelTraining.train(
      configuration, file: config, resume: resume, stop: stop
    ) { line.show($0) }
    withExtendedLifetime(signals) {}
    print(json ? try encodeJSON(report) : report.text)
  }
}

extension TrainingReport {
  /// For people.
  var text: String {
    var lines = [
      "\(folder): \(state.rawValue) at step \(step) of \(steps), "
        + TrainingText.duration(.seconds(seconds)) + " of training"
    ]
    if state == .stopped { lines.append("continue with --resume") }
    if let bundle, let version { lines.append("bundle: \(bundle), version \(version)") }
    if let weightsSHA256 { lines.append("weights: SHA-256 \(weightsSHA256)") }
    guard !labels.isEmpty else { return lines.joined(separator: "\n") }
    let isCompared = meanDiceBefore != nil
    func dice(_ value: Double?) -> String {
      value.map { TrainingText.decimals($0, 4) } ?? "-"
    }
    let header = ["LABEL", "NAME", "DICE", "WORST", "HD95 mm"] + (isCompared ? ["BEFORE"] : [])
    let rows = labels.map { label in
      [
        label.value.map { "\($0)" } ?? "", label.name, dice(label.dice), dice(label.worstDice),
        label.hd95.map { TrainingText.decimals($0, 2) } ?? "infinite",
      ] + (isCompared ? [dice(label.diceBefore)] : [])
    }
    let mean = ["", "mean", dice(meanDice), "", ""] + (isCompared ? [dice(meanDiceBefore)] : [])
    lines.append(formatTable([header] + rows + [mean]))
    lines += notScored.map { "not scored: \($0)" }
    lines += refused.map { "warning: the bundle's limits refuse \($0)" }
    if let meanDice, let meanDiceBefore, meanDice < meanDiceBefore {
      lines.append("warning: on the held-out cases the model before was better; keep it")
    }
    return lines.joined(separator: "\n")
  }
}
