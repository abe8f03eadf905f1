import ArgumentParser
import DICOM
import Foundation
import GeometryGate
import Results
import Segmentation
import SeriesProcessing
import SeriesReading
import Volumes

/// `segmentd write-segmentation`: labels that are known as a segmentation object, for comparison with other writers and
/// for timing (Scripts/compare-writers.sh).
struct WriteSegmentationCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "write-segmentation",
    abstract: "Write labels as a DICOM segmentation, prove it, and print the times as JSON.",
    discussion: """
      The labels are a file of raw bytes, one per label, in the order of the series' slices along their normal, rows \
      and columns, with columns fastest.
      """
        + examples(
          "segmentd write-segmentation --labels labels.raw --bundle models/abdomen \\",
          "    --output segmentation.dcm FOLDER"),
    shouldDisplay: false)

  @Option(help: "The labels.")
  var labels: String

  @Option(help: "The folder of the model bundle that says what they mean.", completion: .directory)
  var bundle: String

  @Option(help: "The object to write.")
  var output: String

  @Argument(
    help: ArgumentHelp("A folder of one series.", valueName: "series"), completion: .directory)
  var series: String

  private struct Report: Encodable {
    var frames: Int
    var bytes: Int
    /// From the labels in memory to the object on disk; and reading it back and comparing all of it.
    var writeSeconds: Double
    var proofSeconds: Double
    /// When the object was written, and when it was proved.
    var writePeakMB: Double
    var peakMB: Double
  }

  func run() async throws {
    let model = try ModelBundle.load(at: URL(fileURLWithPath: bundle))
    let scan = try InputScan([series])
    guard let found = scan.series.first, scan.series.count == 1 else {
      throw RunError.nothingToRead(inputs: [series])
    }
    let stack = try SourceSeries(found, geometry: GeometryRules()).onlyVolume()
    let grid = stack.sourceGrid
    let object = SegmentationObject(
      LabelVolume(grid: grid, labels: try readLabels(grid.voxelCount)), stack: stack,
      segments: model.labels, origin: origin(of: model),
      identifiers: ResultIdentifiers(
        seriesInstanceUID: DICOMUID.named("series of \(labels)"),
        sopInstanceUID: DICOMUID.named("object of \(labels)")))
    let clock = ContinuousClock()
    let writing = try clock.measure { _ = try object.write(to: output) }
    let writePeak = peakMemoryMB()
    let proof = try clock.measure { try object.prove(output) }
    let peak = peakMemoryMB()
    let attributes = try FileManager.default.attributesOfItem(atPath: output)
    let report = Report(
      frames: try DICOMFile.withPixelsOnDisk(path: output).dataset.integer(.numberOfFrames) ?? 0,
      bytes: (attributes[.size] as? Int) ?? 0, writeSeconds: writing / .seconds(1),
      proofSeconds: proof / .seconds(1), writePeakMB: writePeak, peakMB: peak)
    print(try encodeJSON(report))
  }

  private func origin(of model: ModelBundle) -> ResultOrigin {
    ResultOrigin(
      modelName: model.name, modelVersion: model.version, modelSHA256: model.sha256,
      modelFile: model.directory.appendingPathComponent("model.yaml").path,
      softwareVersion: SegmentdVersion.results, deviceSerialNumber: "SEGMENTD", moment: .unknown)
  }

  /// Straight into the array: a second copy would be part of the peak.
  private func readLabels(_ count: Int) throws -> [UInt8] {
    let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: labels))
    defer { try? file.close() }
    guard try file.seekToEnd() == UInt64(count) else {
      throw ValidationError("\(labels) does not have the \(count) voxels of the series")
    }
    try file.seek(toOffset: 0)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count, let part = try file.read(upToCount: 1 << 20), !part.isEmpty {
      bytes += part
    }
    return bytes
  }
}
