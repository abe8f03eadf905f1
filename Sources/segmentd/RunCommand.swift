import ArgumentParser
import ConfigurationFile
import DICOM
import Foundation
import GeometryGate
import Pipeline
import Results
import Segmentation
import SeriesProcessing
import SeriesReading
import Volumes
import Wording

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Segment files or folders of DICOM or NIfTI once, without a daemon.",
    discussion: """
      Every DICOM series of the input is assessed separately. For each one that forms a regular volume, \
      segmentation.dcm and contours.png are written to OUTPUT/SERIES-UID/, with --nifti also labels.nii.gz, with \
      --report also report.dcm, with --labelmap labelmap.dcm, with --fractional fractional.dcm, with --rtstruct \
      structures.dcm; all others are held, with the reason. If the model finds nothing, report.dcm says so.

      For each NIfTI file (.nii, .nii.gz) labels.nii.gz, 8-bit labels with the geometry of the file, and \
      contours.png are written to OUTPUT/NAME/. NAME_0000, NAME_0001 … are the channels of one input.

      The same input gives the same segmentation.dcm, byte for byte, as by the daemon with the same \
      configuration.

      With --deidentify everything that is written for a DICOM series is de-identified by the basic profile of \
      PS3.15 Annex E, in OUTPUT/NEW-SERIES-UID/. The same --uid-key gives the same new UIDs and pseudonyms again.

      The exit status is 0 when nothing was held or failed and no DICOM file was damaged.
      """
        + examples(
          "segmentd run --model hippocampus --output results FOLDER",
          "segmentd run --model cardiac --phases ed-es --report --output results FOLDER",
          "segmentd run --model ./models/liver --output results image.nii.gz"))

  @Option(help: "The model's name, or the path of its bundle.", completion: .model)
  var model: String

  @Option(help: "The folder for results; it is created.", completion: .directory)
  var output: String

  @Option(
    name: .customLong("models"), help: "A folder of further model bundles.",
    completion: .directory)
  var modelDirectories: [String] = []

  @Option(help: "Worker threads; 0 for one per processor.")
  var threads = 0

  @OptionGroup var config: GeometryOption

  @OptionGroup var channels: ChannelOptions

  @Option(
    help: ArgumentHelp(
      "For a model of cine series: all, ed-es, or comma-separated numbers of phases, from 1.",
      valueName: "phases"))
  var phases: PhaseChoice?

  @Option(
    help: ArgumentHelp(
      "For a series with several volumes: the number of the one to use, as listed by inspect.",
      valueName: "number"))
  var volume: Int?

  @Option(
    name: .customLong("through-plane"),
    help: ArgumentHelp(
      "nearest or linear: how labels are mapped to the image's slices if the network's are further "
        + "apart; overrides the model's own inference.throughPlane.", valueName: "interpolation"))
  var throughPlane: ThroughPlaneInterpolation?

  @Option(
    name: .customLong("memory-limit-gb"),
    help: "Memory for the whole process in GB; 0 for what the system has.")
  var memoryLimitGB = 0.0

  @Flag(help: "Write a frame for each image for each structure, even if it is empty.")
  var keepEmptyFrames = false

  @Flag(help: "Write a DICOM report with the measurements of each structure too (report.dcm).")
  var report = false

  @Option(
    help: ArgumentHelp(
      "Pictures as DICOM secondary captures: none, frames (the images with contours), page (the "
        + "result at a glance, also as PNG) or both.", valueName: "pictures"))
  var captures: ResultOptions.Captures?

  @Flag(help: "Write the labels as a DICOM label map too (labelmap.dcm).")
  var labelmap = false

  @Flag(
    help:
      "Write the network's probabilities as a fractional DICOM segmentation too (fractional.dcm).")
  var fractional = false

  @Flag(help: "Write the labels as a DICOM RT Structure Set too (structures.dcm).")
  var rtstruct = false

  @Flag(help: "Write the labels of DICOM series as NIfTI too.")
  var nifti = false

  @OptionGroup var deidentification: DeidentificationOptions

  @Flag(help: "Print the outcome as JSON.")
  var json = false

  @Argument(
    help: ArgumentHelp("Files or folders of DICOM or NIfTI.", valueName: "input"),
    completion: .file())
  var inputs: [String]

  func validate() throws {
    guard !deidentification.isWanted || [nil, ResultOptions.Captures.none].contains(captures) else {
      throw ValidationError(
        "--captures show the images' pixels, which --deidentify does not clean: choose one of them")
    }
  }

  func run() async throws {
    let site = try config.load()
    let geometry = site.geometryRules
    let library = ModelLibrary(
      directories: try foldersOfModels(modelDirectories), threads: threadCount(threads))
    var bundle = try library.bundle(model)
    if let throughPlane { bundle.inference.throughPlane = throughPlane }
    let export = try deidentification.export(to: URL(fileURLWithPath: output))
    let segmenter = try Segmenter(
      bundle: bundle, threads: threadCount(threads), instructionSet: site.instructionSet)
    let scan = try InputScan(inputs)
    warn(about: scan)
    guard !scan.series.isEmpty || !scan.volumes.isEmpty else {
      throw RunError.nothingToRead(inputs: inputs)
    }
    let names = Dictionary(grouping: scan.volumes, by: \.name)
    if let same = names.values.first(where: { $0.count > 1 }) {
      throw RunError.sameName(files: same.flatMap(\.files).map(\.path))
    }

    var reports: [RunReport] = []
    func add(_ report: RunReport) {
      if !json { print(report.text) }
      reports.append(report)
    }
    let found = try ModelInput.inputs(
      of: scan.series, for: segmenter.bundle, geometry: geometry, chosen: channels.chosen(),
      phases: phases)
    for (series, input) in found {
      guard let export else {
        add(try await segment(series, input, segmenter, site, folder: try makeFolder(series)))
        continue
      }
      add(
        try await export.deidentifying(series) { folder in
          try await segment(series, input, segmenter, site, folder: folder)
        })
    }
    for volume in scan.volumes { add(try await segment(volume, segmenter, geometry)) }
    if json { print(try encodeJSON(reports)) }
    let isComplete = reports.allSatisfy { ["segmented", "nothing found"].contains($0.state) }
    if !isComplete || !scan.damagedImages.isEmpty { throw ExitCode.findings }
  }

  private func segment(
    _ series: String, _ input: Result<ModelInput, ChannelRefusal>, _ segmenter: Segmenter,
    _ site: SiteConfiguration, folder: URL
  ) async throws -> RunReport {
    var options = site.results.options
    // Part of what UIDs follow from, as in the daemon.
    options.namesReplaced = site.resultOptions.namesReplaced
    if keepEmptyFrames { options.keepsEmptyFrames = true }
    if report { options.writesReport = true }
    if let captures { options.captures = captures }
    if deidentification.isWanted { options.captures = .none }
    if labelmap { options.writesLabelMap = true }
    if fractional { options.writesFractional = true }
    if rtstruct { options.writesStructureSet = true }
    let processor = SeriesProcessor(
      geometry: site.geometryRules, installation: site.installation,
      memory: MemoryBudget(gigabytes: memoryLimitGB), options: options,
      instructionSet: site.instructionSet, writesNIfTI: nifti)
    let line = ProgressLine()
    let times = StageTimes()
    do {
      var input = try input.get()
      if let volume { input = try input.choosing(volume: volume, geometry: site.geometryRules) }
      warn("series \(series): \(counted(input.series.allFiles.count, "file"))")
      let dependencies = try processor.dependencies(of: input, model: segmenter.bundle)
      let processed = try await processor.process(
        input, segmenter: segmenter,
        identity: ResultIdentity(fingerprint: dependencies.fingerprint), output: folder,
        times: times
      ) { line.show($0) }
      var report = RunReport(series, processed.outcome, times)
      report.notes = processed.verdictNotes + report.notes
      return report
    } catch let held as HeldSeries {
      return RunReport(series, .held(reasons: held.reasons), times)
    } catch let refusal as ChannelRefusal {
      return RunReport(series, .held(reasons: [refusal.description]), times)
    } catch {
      return RunReport(series: series, failure: error)
    }
  }

  private func segment(
    _ volume: VolumeFiles, _ segmenter: Segmenter, _ geometry: GeometryRules
  ) async throws -> RunReport {
    warn("volume \(volume.name): \(counted(volume.files.count, "file"))")
    let folder = try makeFolder(volume.name)
    let line = ProgressLine()
    let times = StageTimes()
    do {
      let labelled = try await VolumeFileProcessor.process(
        volume.files, segmenter: segmenter, geometry: geometry,
        memory: MemoryBudget(gigabytes: memoryLimitGB), output: folder, times: times
      ) { line.show($0) }
      return RunReport(volume.name, labelled, times)
    } catch {
      return RunReport(volume: volume.name, failure: error)
    }
  }

  private func makeFolder(_ name: String) throws -> URL {
    let folder = URL(fileURLWithPath: output).appendingPathComponent(name)
    try FileManager.default.createDirectory(
      at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    return folder
  }
}

enum RunError: Error, CustomStringConvertible {
  case nothingToRead(inputs: [String])
  case sameName(files: [String])

  var description: String {
    switch self {
    case .sameName(let files):
      "the results of \(files.joined(separator: " and ")) would be in one folder"
    case .nothingToRead(let inputs):
      "no CT, MR or PET image and no NIfTI file was found in \(inputs.joined(separator: ", "))"
    }
  }
}

extension ThroughPlaneInterpolation: ExpressibleByArgument {}

extension ResultOptions.Captures: ExpressibleByArgument {}

extension PhaseChoice: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
