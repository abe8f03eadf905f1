import ArgumentParser
import Evaluation
import Foundation
import Segmentation
import SeriesProcessing

extension Benchmark: ExpressibleByArgument {}

struct EvaluateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Score a model, or existing segmentations, against known labels.",
    discussion: """
      Segments every image with --model, or reads the segmentations of --predictions, and prints \
      Dice, HD95 and the difference of volumes for each structure: mean and worst case.

      Images are NIfTI files (.nii, .nii.gz; CASE_0000, CASE_0001 … for several channels, or one \
      file with a fourth axis) or folders or files of DICOM; labels are NIfTI, DICOM SEG or RTSTRUCT. \
      They are matched by name, see the page Evaluation of the documentation. Nothing is left out: \
      an image without labels, or labels without an image, ends the run before it starts.

      --benchmark takes the classes, groups and conventions of one of the five published \
      benchmarks. Without it, distances are in millimetres, HD95 is the larger of both directions.

      The exit status is 2 if the model refused a case; such cases are named and not scored.
      """
        + examples(
          "segmentd evaluate --model hippocampus --images images --labels labels",
          "segmentd evaluate --predictions masks --labels labels --benchmark acdc"))

  @Option(help: "The model's name, or the path of its bundle.", completion: .model)
  var model: String?

  @Option(help: "The folder of images, or one image.", completion: .file())
  var images: String?

  @Option(
    help: "Existing segmentations to score instead: a folder or a file (NIfTI, SEG or RTSTRUCT).",
    completion: .file())
  var predictions: String?

  @Option(help: "The folder of known labels, or one file.", completion: .file())
  var labels: String

  @Option(
    help: """
      Only these cases or patients: comma-separated names, or a JSON file (a list, or its heldOut).
      """)
  var cases: String?

  @Option(
    help: ArgumentHelp(
      "Classes and conventions of a published benchmark.",
      valueName: Benchmark.allCases.map(\.rawValue).joined(separator: "|")))
  var benchmark: Benchmark?

  @Option(
    name: .customLong("models"), help: "A folder of further model bundles.",
    completion: .directory)
  var modelDirectories: [String] = []

  @OptionGroup var config: GeometryOption

  @Option(
    help: """
      Cases that are segmented in parallel; 0 for one per processor if the model is small, otherwise 1.
      """)
  var jobs = 0

  @Option(help: "Worker threads of each; 0 to share the processors equally.")
  var threads = 0

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    switch (images, predictions, model) {
    case (nil, nil, _): throw ValidationError("give --images and --model, or --predictions")
    case (.some, .some, _): throw ValidationError("--images and --predictions exclude each other")
    case (.some, _, nil): throw ValidationError("--images needs --model")
    default: break
    }
    guard jobs >= 0, threads >= 0 else {
      throw ValidationError("--jobs and --threads are not below 0")
    }
  }

  func run() async throws {
    let library = ModelLibrary(directories: try foldersOfModels(modelDirectories), threads: 1)
    let bundle = try model.map { try library.bundle($0) }
    let names = try cases.map { text throws(CaseListError) in try CaseFiles.names(from: text) }
    let files = try CaseFiles.match(
      images: URL(fileURLWithPath: images ?? predictions ?? ""),
      labels: URL(fileURLWithPath: labels), names: names)
    if predictions == nil { try CaseFiles.checkLabelsAreApart(files) }
    let scoring = try Scoring(files, bundle: bundle, benchmark: benchmark, geometry: config.rules())
    let start = ContinuousClock.now
    let outcomes: [CaseOutcome]
    if let bundle, predictions == nil {
      let plan = EvaluationPlan(bundle, jobs: jobs, threads: threads)
      outcomes = try await segmentAndScore(files, bundle: bundle, plan: plan, scoring: scoring)
    } else {
      outcomes = files.map { files in
        CaseOutcome(files.name) { try scoring.scorePrediction(files) }
      }
    }
    let report = EvaluationReport(
      outcomes, scoring: scoring, bundle: bundle, elapsed: ContinuousClock.now - start)
    print(json ? try encodeJSON(report) : report.text)
    if !report.failed.isEmpty { throw ExitCode.findings }
  }

  private func segmentAndScore(
    _ files: [CaseFiles], bundle: ModelBundle, plan: EvaluationPlan, scoring: Scoring
  ) async throws -> [CaseOutcome] {
    let cases = CaseQueue(files)
    let showsCases = !json
    return try await withThrowingTaskGroup(of: [(Int, CaseOutcome)].self) { group in
      for _ in 0..<min(plan.jobs, files.count) {
        group.addTask {
          let segmenter = try Segmenter(bundle: bundle, threads: plan.threads)
          var done: [(Int, CaseOutcome)] = []
          while let (index, files) = await cases.next() {
            let outcome = await CaseOutcome(files.name) {
              try await scoring.segmentAndScore(files, segmenter: segmenter)
            }
            if showsCases { warn(outcome.line) }
            done.append((index, outcome))
          }
          return done
        }
      }
      var all: [(Int, CaseOutcome)] = []
      for try await done in group { all += done }
      return all.sorted { $0.0 < $1.0 }.map(\.1)
    }
  }
}

/// How many cases run in parallel, and with how many threads each.
private struct EvaluationPlan {
  let jobs: Int
  let threads: Int

  /// A patch of a small model does not keep two threads busy, and its memory is small.
  private static let smallPatch = 1 << 18

  init(_ bundle: ModelBundle, jobs: Int, threads: Int) {
    let processors = threadCount(0)
    let isSmall = bundle.network.patch.reduce(1, *) <= Self.smallPatch
    let side = jobs > 0 ? jobs : isSmall ? processors : 1
    self.jobs = side
    self.threads = threads > 0 ? threads : max(1, processors / side)
  }
}

private actor CaseQueue {
  private let cases: [CaseFiles]
  private var index = 0

  init(_ cases: [CaseFiles]) { self.cases = cases }

  func next() -> (Int, CaseFiles)? {
    guard index < cases.count else { return nil }
    index += 1
    return (index - 1, cases[index - 1])
  }
}
