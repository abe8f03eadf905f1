import ArgumentParser
import ConfigurationFile
import Foundation
import GeometryGate
import SeriesReading
import Volumes

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Assess the geometry of DICOM files or folders; segments nothing.",
    discussion: """
      Every series gets a verdict: accepted, repaired (and how), or held (and why). Each of its volumes is listed \
      with its size, its affine in mm (LPS), the attributes by which it was split, and its number for --volume of \
      run and jobs release. Needs no daemon and no model, and changes nothing. Symbolic links are followed, each \
      file and folder is read once, and the number of skipped files is reported on standard error. Exits with 0 if \
      the images of at least one series could be read, whatever the verdicts, and with 2 if none could.
      """
        + examples(
          "segmentd inspect FOLDER", "segmentd inspect --config segmentd.yaml --json FOLDER"))

  @OptionGroup var config: GeometryOption

  @Option(
    help: ArgumentHelp("Hold a series that does not have this many instances.", valueName: "n"))
  var expectedInstances: Int?

  @Flag(help: "Only read the headers: pixels that cannot be decoded go unnoticed.")
  var headersOnly = false

  @Flag(help: "Print JSON.")
  var json = false

  @Argument(help: ArgumentHelp("DICOM files or folders.", valueName: "input"), completion: .file())
  var inputs: [String]

  func run() throws {
    let rules = try config.rules()
    let scan = try InputScan(inputs, takesEverything: true)
    var reports: [InspectedSeries] = []
    let sources = try scan.series.map {
      try SourceSeries($0, geometry: rules, expectedInstances: expectedInstances)
    }
    for source in try SourceSeries.stacked(sources, geometry: rules) {
      let report = InspectedSeries(
        source.seriesInstanceUID, headersOnly ? source.assessment : checkingPixels(of: source))
      if !json { print(report.text) }
      reports.append(report)
    }
    warn(about: scan)
    let damaged = scan.damagedImages
    if !damaged.isEmpty {
      let report = InspectedSeries(damaged: RefusalSummary(damaged).lines)
      if !json { print(report.text) }
      reports.append(report)
    }
    guard !reports.isEmpty else { throw RunError.nothingToRead(inputs: inputs) }
    if json { print(try encodeJSON(["series": reports])) }
    guard sources.contains(where: \.hasImages) else { throw ExitCode.findings }
  }

  /// The assessment with what reading the pixels reveals.
  private func checkingPixels(of source: SourceSeries) -> SeriesAssessment {
    var findings: [GeometryFinding] = []
    for volume in source.assessment.usableStacks {
      do {
        try SourceSeries.checkPixels(of: volume)
      } catch {
        let finding = (error as? GeometryFinding) ?? GeometryFinding(.unreadable, "\(error)")
        findings.append(finding)
      }
    }
    return source.assessment.held(because: findings)
  }
}

/// The reasons of a verdict and the volumes of its series, for people.
func verdictLines(reasons: [String], volumes: [(dims: [Int], splitBy: [String: String])])
  -> [String]
{
  reasons.map { "  \($0)" }
    + zip(1..., volumes).map { number, volume in
      let split = volume.splitBy.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
      let name = volumes.count > 1 ? "volume \(number):" : "volume"
      return "  \(name) \(volume.dims.map(String.init).joined(separator: "x"))" + split.joined()
    }
}

/// A verdict as `inspect` prints it.
struct InspectedSeries: Encodable {
  struct Volume: Encodable {
    /// From 1: what --volume takes.
    var number: Int
    /// Columns, rows, slices.
    var dims: [Int]
    /// Voxel (column, row, slice) to mm in the patient (LPS), row by row.
    var affine: [[Double]]
    var splitBy: [String: String]
    /// In slice order; a multi-frame instance once.
    var sopInstanceUIDs: [String]

    init(_ stack: SliceStack, number: Int) {
      self.number = number
      dims = [stack.grid.columns, stack.grid.rows, stack.grid.slices]
      affine = stack.grid.affine.matrix
      splitBy = stack.splitBy
      var seen: Set<String> = []
      sopInstanceUIDs = stack.frames.map(\.sopInstanceUID).filter { seen.insert($0).inserted }
    }
  }

  var seriesInstanceUID: String
  var verdict: Verdict
  var reasons: [String]
  var volumes: [Volume]

  init(_ seriesInstanceUID: String, _ assessment: SeriesAssessment) {
    self.seriesInstanceUID = seriesInstanceUID
    verdict = assessment.verdict
    reasons = assessment.reasons
    volumes = zip(1..., assessment.volumes).map { Volume($1.stack, number: $0) }
  }

  /// Files that say they are DICOM and of which not even the series can be read.
  init(damaged reasons: [String]) {
    seriesInstanceUID = ""
    verdict = .held
    self.reasons = reasons
    volumes = []
  }

  var text: String {
    let name =
      seriesInstanceUID.isEmpty ? "files of no known series" : "series \(seriesInstanceUID)"
    return
      (["\(name): \(verdict.rawValue)"]
      + verdictLines(
        reasons: reasons, volumes: volumes.map { (dims: $0.dims, splitBy: $0.splitBy) }))
      .joined(separator: "\n")
  }
}
