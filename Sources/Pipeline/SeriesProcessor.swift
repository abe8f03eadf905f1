import DICOM
import Foundation
import NIfTI
import Results
import Segmentation
import Volumes

/// The instance files of one series.
public struct SeriesFiles: Sendable {
  public var seriesInstanceUID: String
  public var files: [URL]

  public init(seriesInstanceUID: String, files: [URL]) {
    self.seriesInstanceUID = seriesInstanceUID
    self.files = files
  }
}

/// A segmentation that was read back from disk and found equal to the label volume.
public struct ProvedSegmentation: Sendable, Equatable {
  public var segmentation: URL
  /// Of the file as it was proved, as 64 hexadecimal digits.
  public var sha256: String
  public var picture: URL
  /// The labels as NIfTI, where they were asked for.
  public var labels: URL?
  /// Volume of each segment that was found, in millilitres, by name.
  public var millilitres: [String: Double]
  /// What is unusual beside the model's training volumes: a person should look at the result.
  public var warnings: [String] = []
  public var memory: MemoryUse
}

/// Memory in bytes, the network's included.
public struct MemoryUse: Sendable, Equatable, Codable {
  /// The process's peak as it was predicted before the job began.
  public var predicted: Int
  /// The process's peak since its start; nil where the system does not say.
  public var peak: Int?
}

/// What became of a series.
public enum SeriesOutcome: Sendable, Equatable {
  case segmented(ProvedSegmentation)
  /// The model found none of its structures; no object is written.
  case nothingFound(picture: URL, warnings: [String])
  /// The series cannot be segmented; each reason says why.
  case held(reasons: [String])
}

/// Takes one series from its files to a proved segmentation.
public struct SeriesProcessor: Sendable {
  private let geometry: GeometryRules
  /// What tells this installation from others, written as Device Serial Number (0018,1000).
  private let installation: String
  private let memory: MemoryBudget
  /// Whether `labels.nii.gz` is written beside the segmentation.
  private let writesNIfTI: Bool

  public init(
    geometry: GeometryRules, installation: String, memory: MemoryBudget = MemoryBudget(),
    writesNIfTI: Bool = false
  ) {
    self.geometry = geometry
    self.installation = installation
    self.memory = memory
    self.writesNIfTI = writesNIfTI
  }

  /// Judges, segments, writes and proves.
  ///
  /// - Parameter output: an existing folder, which receives `segmentation.dcm` and `contours.png`.
  /// - Throws: errors of reading and writing, and ``MemoryShortage`` where the job does not fit in
  ///   memory now. What is wrong with the series itself, and a series too large for the memory that
  ///   there is at all, is not thrown but returned as ``SeriesOutcome/held(reasons:)``.
  public func process(
    _ series: SeriesFiles, segmenter: Segmenter, identifiers: SegmentationObject.Identifiers,
    output: URL, progress: @escaping @Sendable (SegmentationProgress) -> Void
  ) async throws -> SeriesOutcome {
    do {
      let source = try SourceSeries(series, geometry: geometry)
      let stack = try source.onlyVolume()
      let bundle = segmenter.bundle
      try bundle.input.check(
        modality: stack.frames.first?.modality ?? "", bodyPart: source.bodyPart)
      let input = NetworkInput(stack, geometry: geometry)
      let forecast = try bundle.memoryForecast(
        of: input.grid, bytesPerVoxel: input.bytesPerVoxel, threads: segmenter.threads)
      let predicted = try memory.check(job: forecast.peak)
      // Read by the segmenter, which lets the voxels go as soon as it can.
      let warnings = ModelWarnings()
      let labels = input.sourceLabels(
        try await segmenter.segment(
          reading: { [try input.read()] }, warnings: warnings, progress: progress))
      return try export(
        labels, stack: stack, bundle: bundle, warnings: warnings.all.map(\.description),
        identifiers: identifiers, output: output, predictedMemory: predicted)
    } catch let error as DICOMError {
      // Our own disk or installation is at fault, not the series: that may pass.
      guard error.isOfTheFile else { throw error }
      return .held(reasons: [error.description])
    } catch let shortage as MemoryShortage {
      guard shortage.isLasting else { throw shortage }
      return .held(reasons: [shortage.description])
    } catch let refusal as InputRefusal {
      return .held(reasons: [refusal.description])
    } catch let finding as GeometryFinding {
      return .held(reasons: [finding.message])
    } catch let problem as HeldSeries {
      return .held(reasons: problem.reasons)
    }
  }

  private func export(
    _ labels: LabelVolume, stack: SliceStack, bundle: ModelBundle, warnings: [String],
    identifiers: SegmentationObject.Identifiers, output: URL, predictedMemory: Int
  ) throws -> SeriesOutcome {
    let labelSegments = bundle.labels.map(SegmentDescription.init)
    let segments =
      bundle.writesGroupings
      ? bundle.groupings.enumerated().map(SegmentDescription.init) : labelSegments
    let picture = output.appendingPathComponent("contours.png")
    try drawPicture(labels, stack: stack, segments: labelSegments, to: picture)
    let file = output.appendingPathComponent("segmentation.dcm")
    let origin = SegmentationObject.Origin(
      modelName: bundle.name, modelVersion: bundle.version,
      softwareVersion: SegmentdVersion.current, deviceSerialNumber: installation,
      seriesNumber: 1000, date: Date(), remarks: warnings)
    let files = SourceSeries.files(of: stack)
    let outcome: SegmentationObject.Outcome
    do {
      outcome = try SegmentationObject.write(
        labels, stack: stack, segments: segments, origin: origin, identifiers: identifiers,
        to: file.path, fileOf: { files[$0] })
    } catch {
      // The series has no place in the patient, and will not get one by another attempt.
      guard case .noFrameOfReference = error else { throw error }
      return .held(reasons: [error.description])
    }
    guard case .written = outcome else {
      return .nothingFound(picture: picture, warnings: warnings)
    }
    let sha256 = try hexadecimalSHA256(ofFile: file)
    try SegmentationProof.prove(file.path, labels: labels, stack: stack, segments: segments)
    var niftiFile: URL?
    if writesNIfTI {
      let url = output.appendingPathComponent("labels.nii.gz")
      try NIfTIFile.write(labels, to: url.path)
      niftiFile = url
    }
    return .segmented(
      ProvedSegmentation(
        segmentation: file, sha256: sha256, picture: picture, labels: niftiFile,
        millilitres: Self.millilitres(labels, segments: segments), warnings: warnings,
        memory: MemoryUse(predicted: predictedMemory, peak: MemoryBudget.peakResident)))
  }

  /// Reads again the slices that are shown, and no others.
  private func drawPicture(
    _ labels: LabelVolume, stack: SliceStack, segments: [SegmentDescription], to picture: URL
  ) throws {
    let shown = ContourMontage.chosenSlices(labels)
    var chosen = SliceStack(grid: stack.sourceGrid, frames: shown.map { stack.frames[$0] })
    chosen.grid.slices = shown.count
    let plane = chosen.grid.rows * chosen.grid.columns
    let files = SourceSeries.files(of: chosen)
    let volume = try PixelReader.read(chosen, fileOf: { files[$0] })
    let part = LabelVolume(
      grid: chosen.grid,
      labels: shown.flatMap { labels.labels[$0 * plane..<($0 + 1) * plane] })
    try ContourMontage.write(volume, labels: part, segments: segments, to: picture.path)
  }

  static func millilitres(_ labels: LabelVolume, segments: [SegmentDescription])
    -> [String: Double]
  {
    var counts = [Int](repeating: 0, count: 256)
    for label in labels.labels { counts[Int(label)] += 1 }
    let voxel = labels.grid.voxelVolume / 1000
    return Dictionary(
      segments.map { segment in
        (segment.name, segment.labels.reduce(0) { $0 + counts[Int($1)] })
      }.filter { $0.1 > 0 }.map { ($0.0, Double($0.1) * voxel) },
      uniquingKeysWith: +)
  }
}

/// A series whose geometry was not accepted.
struct HeldSeries: Error {
  var reasons: [String]
}

extension SourceSeries {
  /// The one volume of the series.
  func onlyVolume() throws(HeldSeries) -> SliceStack {
    let volumes = assessment.usableVolumes
    guard volumes.count == 1 else { throw HeldSeries(reasons: assessment.reasons) }
    return volumes[0]
  }
}

private func code(_ concept: Segmentation.CodedConcept) -> Results.CodedConcept {
  Results.CodedConcept(value: concept.value, scheme: concept.scheme, meaning: concept.meaning)
}

extension SegmentDescription {
  /// - Parameter index: from 0, among the model's groupings.
  init(_ index: Int, _ grouping: LabelGrouping) {
    self.init(
      value: UInt8(clamping: index + 1), labels: Set(grouping.labels), name: grouping.name,
      category: code(grouping.category), type: code(grouping.type),
      anatomicRegion: grouping.region.map(code), color: grouping.color)
  }

  init(_ label: ModelLabel) {
    self.init(
      value: label.value, name: label.name, category: code(label.category),
      type: code(label.type), modifier: label.modifier.map(code),
      anatomicRegion: label.region.map(code), color: label.color)
  }
}
