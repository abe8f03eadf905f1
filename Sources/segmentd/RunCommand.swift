import ArgumentParser
import DICOM
import Foundation
import Pipeline
import Results
import Segmentation
import Volumes

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Segment DICOM files or folders once, without a daemon.",
    discussion: """
      Every series of the input is judged by itself. For each one that forms a regular volume, \
      OUTPUT/SERIES-UID/ receives segmentation.dcm and contours.png; each other one is held, with \
      the reason. The exit status is 0 when no series was held or failed and no DICOM file was \
      damaged.
      """)

  @Option(help: "The model's name, or the path of its bundle.")
  var model: String

  @Option(help: "The folder for results; it is created.")
  var output: String

  @Option(name: .customLong("models"), help: "A folder of further model bundles.")
  var modelDirectories: [String] = []

  @Option(help: "Worker threads; 0 takes one for each processor.")
  var threads = 0

  @OptionGroup var channels: ChannelOptions

  @Option(
    help: ArgumentHelp(
      "For a model of cine series: all, ed-es, or numbers of phases from 1 with commas.",
      valueName: "phases"))
  var phases: PhaseChoice?

  @Option(
    name: .customLong("memory-limit-gb"),
    help: "Memory for the whole process in GB; 0 takes what the system has.")
  var memoryLimitGB = 0.0

  @Flag(help: "Print the outcome as JSON.")
  var json = false

  @Argument(help: ArgumentHelp("DICOM files or folders.", valueName: "input"))
  var inputs: [String]

  func run() async throws {
    let library = ModelLibrary(
      directories: modelDirectories.map { URL(fileURLWithPath: $0) },
      threads: threadCount(threads))
    let segmenter = try await library.segmenter(model)
    let scan = try InputScan(inputs)
    for refused in scan.refused { warn(refused.description) }
    guard !scan.series.isEmpty else {
      throw RunError.nothingToRead(inputs: inputs)
    }

    let processor = SeriesProcessor(
      geometry: GeometryRules(), installation: "SEGMENTD",
      memory: memoryBudget(gigabytes: memoryLimitGB))
    var reports: [SeriesReport] = []
    let found = try ModelInput.inputs(
      of: scan.series, for: segmenter.bundle, chosen: channels.chosen(), phases: phases)
    for (series, input) in found {
      let folder = URL(fileURLWithPath: output).appendingPathComponent(series)
      try FileManager.default.createDirectory(
        at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      let line = ProgressLine()
      let report: SeriesReport
      do {
        let input = try input.get()
        warn("series \(series): \(input.series.files.count) files")
        report = SeriesReport(
          series,
          try await processor.process(
            input, segmenter: segmenter, identifiers: .generate(), output: folder
          ) { line.show($0) })
      } catch let refusal as ChannelRefusal {
        report = SeriesReport(series, .held(reasons: [refusal.description]))
      } catch {
        report = SeriesReport(series, failure: error)
      }
      if !json { print(report.text) }
      reports.append(report)
    }
    if json { print(try encodeJSON(reports)) }
    let isComplete = reports.allSatisfy { ["segmented", "nothing found"].contains($0.state) }
    if !isComplete || scan.holdsDamagedImages { throw ExitCode(2) }
  }
}

enum RunError: Error, CustomStringConvertible {
  case nothingToRead(inputs: [String])

  var description: String {
    switch self {
    case .nothingToRead(let inputs):
      "no CT or MR image was found in \(inputs.joined(separator: ", "))"
    }
  }
}

/// The outcome for one series as `run` prints it.
struct SeriesReport: Encodable {
  var seriesInstanceUID: String
  var state: String
  var segmentation: String?
  var picture: String?
  var millilitres: [String: Double]?
  /// One for each phase of a cine series that was segmented.
  var phases: [PhaseReport]?
  /// What the cavities of a heart do.
  var function: [FunctionReport]?
  var memory: MemoryUse?
  var reasons: [String] = []

  init(_ seriesInstanceUID: String, failure: any Error) {
    self.seriesInstanceUID = seriesInstanceUID
    state = "failed"
    reasons = ["\(failure)"]
  }

  init(_ seriesInstanceUID: String, _ outcome: SeriesOutcome) {
    self.seriesInstanceUID = seriesInstanceUID
    switch outcome {
    case .segmented(let result):
      state = "segmented"
      if result.objects[0].phase == nil {
        segmentation = result.objects[0].segmentation.path
        picture = result.objects[0].picture.path
        millilitres = result.objects[0].millilitres
      } else {
        phases = result.objects.compactMap(PhaseReport.init)
        function = result.function.map(FunctionReport.init)
      }
      memory = result.memory
    case .nothingFound(let picture):
      state = "nothing found"
      self.picture = picture.path
    case .held(let reasons):
      state = "held"
      self.reasons = reasons
    }
  }

  var text: String {
    var lines = ["series \(seriesInstanceUID): \(state)"]
    if let segmentation { lines.append("  segmentation: \(segmentation)") }
    if let picture { lines.append("  picture: \(picture)") }
    for (name, volume) in (millilitres ?? [:]).sorted(by: { $0.key < $1.key }) {
      lines.append("  \(name): " + String(format: "%.2f ml", volume))
    }
    for phase in phases ?? [] { lines += phase.lines }
    for function in function ?? [] { lines.append("  " + function.text) }
    lines += reasons.map { "  \($0)" }
    return lines.joined(separator: "\n")
  }
}

/// One phase of a cine series as `run` prints it.
struct PhaseReport: Encodable {
  var phase: SegmentedPhase
  var segmentation: String
  var picture: String
  var millilitres: [String: Double]

  init?(_ object: ProvedSegmentation) {
    guard let phase = object.phase else { return nil }
    self.phase = phase
    segmentation = object.segmentation.path
    picture = object.picture.path
    millilitres = object.millilitres
  }

  var lines: [String] {
    ["  \(phase.text)", "    segmentation: \(segmentation)", "    picture: \(picture)"]
      + millilitres.sorted { $0.key < $1.key }
      .map { "    \($0.key): " + String(format: "%.2f ml", $0.value) }
  }
}

/// What a cavity does, as `run` prints it.
struct FunctionReport: Encodable {
  var cavity: String
  var endDiastolicMillilitres: Double
  var endSystolicMillilitres: Double
  var strokeMillilitres: Double
  /// From 0 to 1; absent for an empty cavity.
  var ejectionFraction: Double?
  private let function: CardiacFunction

  private enum CodingKeys: String, CodingKey {
    case cavity, endDiastolicMillilitres, endSystolicMillilitres, strokeMillilitres
    case ejectionFraction
  }

  init(_ function: CardiacFunction) {
    self.function = function
    cavity = function.cavity
    endDiastolicMillilitres = function.endDiastolicVolume
    endSystolicMillilitres = function.endSystolicVolume
    strokeMillilitres = function.strokeVolume
    ejectionFraction = function.ejectionFraction
  }

  var text: String { function.text }
}

extension PhaseChoice: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
