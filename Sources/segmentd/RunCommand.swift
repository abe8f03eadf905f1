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
    for series in scan.series {
      warn("series \(series.seriesInstanceUID): \(series.files.count) files")
      let folder = URL(fileURLWithPath: output).appendingPathComponent(series.seriesInstanceUID)
      try FileManager.default.createDirectory(
        at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      let line = ProgressLine()
      let report: SeriesReport
      do {
        report = SeriesReport(
          series.seriesInstanceUID,
          try await processor.process(
            series, segmenter: segmenter, identifiers: .generate(), output: folder
          ) { line.show($0) })
      } catch {
        report = SeriesReport(series.seriesInstanceUID, failure: error)
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
      segmentation = result.segmentation.path
      picture = result.picture.path
      millilitres = result.millilitres
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
    lines += reasons.map { "  \($0)" }
    return lines.joined(separator: "\n")
  }
}
