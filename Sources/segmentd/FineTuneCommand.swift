import ArgumentParser
import Evaluation
import Foundation
import Segmentation
import SeriesProcessing
import TrainingRuns

struct FineTuneCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fine-tune",
    abstract: "Train a shipped or imported model further on corrected cases.",
    discussion: """
      CORRECTIONS contains images and labels, as for evaluate: NIfTI files or DICOM series with SEG or RTSTRUCT. A \
      part of them is held out and scored before and after. With --data, cases of an older data set \
      take part in training and scoring, so that the model does not forget them.

      A new version of the bundle, NAME-VERSION, is written to OUTPUT/models; the original model is not changed, and \
      its checksum is in the new card. SIGTERM or Ctrl-C ends the training after the current step; --resume \
      continues it.
      """
        + examples("segmentd fine-tune --model hippocampus --corrections corrections --output run"))

  @Option(help: "The model's name, or the path of its bundle.", completion: .model)
  var model: String

  @Option(
    help: ArgumentHelp("A folder of corrected cases.", valueName: "folder"),
    completion: .directory)
  var corrections: String

  @Option(
    help: ArgumentHelp("A folder of older cases to mix in.", valueName: "folder"),
    completion: .directory)
  var data: String?

  @Option(
    help: ArgumentHelp("The folder of the run; it is created.", valueName: "folder"),
    completion: .directory)
  var output: String

  @Option(
    name: .customLong("models"), help: "A folder of further model bundles.",
    completion: .directory)
  var modelDirectories: [String] = []

  @Option(
    name: .customLong("held-out"),
    help: """
      The cases or patients to hold out: comma-separated names, or a JSON file (a list, or its heldOut); \
      without it a fifth, at least one, chosen by the seed.
      """)
  var heldOut: String?

  @Flag(
    help: "Hold out whole patients: cases whose names are the same up to the first underscore.")
  var byPatient = false

  @Option(help: "Steps of training.")
  var steps = FineTuning.defaultSteps

  @Option(help: "The learning rate.")
  var rate = FineTuning.defaultRate

  @Option(help: "Patches of a step.")
  var batch = 2

  @Option(help: "The random seed.")
  var seed: UInt64 = 1

  @Option(help: "Worker threads; 0 for one per processor.")
  var threads = 0

  @Flag(help: "Continue the training in the output folder.")
  var resume = false

  @Flag(help: "Print the outcome as JSON.")
  var json = false

  func validate() throws {
    guard TrainingOptions.stepCounts.contains(steps) else {
      throw ValidationError(
        "--steps \(steps) is not from 1 to \(TrainingOptions.stepCounts.upperBound)")
    }
    guard TrainingOptions.batches.contains(batch) else {
      throw ValidationError(
        "--batch \(batch) is not from 1 to \(TrainingOptions.batches.upperBound)")
    }
    guard TrainingConfiguration.threadCounts.contains(threads) else {
      throw ValidationError("--threads must be from 0 to 1024")
    }
    guard rate > 0, rate <= OptimiserSettings.highestRate else {
      throw ValidationError(
        "--rate \(rate) is not above 0, or above \(OptimiserSettings.highestRate)")
    }
  }

  func run() async throws {
    let library = ModelLibrary(directories: try foldersOfModels(modelDirectories), threads: 1)
    var tuning = FineTuning(
      parent: try library.bundle(model), corrections: DataSource(folder: corrections),
      output: output)
    tuning.older = data.map { DataSource(folder: $0) }
    tuning.heldOut = try heldOut.map { text throws(CaseListError) in try CaseFiles.names(from: text)
    }
    tuning.byPatient = byPatient
    tuning.options.steps = steps
    tuning.options.batch = batch
    tuning.options.optimiser.rate = rate
    tuning.options.seed = seed
    tuning.threads = threads
    let stop = StopRequest()
    let signals = StopSignals { stop.request() }
    let line = TrainingProgressLine()
    let report = try await tuning.run(resume: resume, stop: stop) { line.show($0) }
    withExtendedLifetime(signals) {}
    print(json ? try encodeJSON(report) : report.text)
  }
}
