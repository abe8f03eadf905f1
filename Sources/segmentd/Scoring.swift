import Evaluation
import Foundation
import GeometryGate
import NIfTI
import Results
import Segmentation
import SeriesProcessing
import Terminology
import Volumes

/// What is scored and by which convention, and the way from files to scores.
struct Scoring: Sendable {
  let regions: [Region]
  let convention: ScoringConvention
  let benchmark: Benchmark?
  private let geometry: GeometryRules
  private let modelLabels: [SegmentDescription]
  /// The values that known labels may have; nil takes all.
  private let labelValues: Set<UInt8>?

  /// Regions are those of the benchmark, or the model's labels, or else all values that the known
  /// labels have.
  ///
  /// - Parameter geometry: the rules by which DICOM images are assessed.
  init(
    _ files: [CaseFiles], bundle: ModelBundle?, benchmark: Benchmark?, geometry: GeometryRules
  ) throws {
    self.geometry = geometry
    self.benchmark = benchmark
    modelLabels = bundle?.labels ?? []
    convention = benchmark?.convention ?? .standard
    if let benchmark {
      regions = benchmark.regions
      labelValues = benchmark.labelValues
    } else if let bundle {
      regions = bundle.labels.map { Region(label: $0.value, name: $0.name) }
      labelValues = Set(bundle.labels.map(\.value))
    } else {
      var values: Set<UInt8> = []
      for item in files where NIfTIFile.isNamed(item.labels.path) {
        values.formUnion(try NIfTIFile(path: item.labels.path).labels().labels)
      }
      regions = values.subtracting([0]).sorted().map { Region(label: $0, name: "Label \($0)") }
      labelValues = nil
    }
    guard !regions.isEmpty else { throw ScoringError.nothingKnown }
  }

  func segmentAndScore(_ files: CaseFiles, segmenter: Segmenter) async throws -> CaseScore {
    let channels = try VolumeInputs.read(files.images, for: segmenter.bundle, geometry: geometry)
    let clock = ContinuousClock()
    let start = clock.now
    let warnings = ModelWarnings()
    let found = try await segmenter.segment(channels, warnings: warnings)
    let seconds = (clock.now - start) / .seconds(1)
    let known = try labels(files.labels, onto: found.grid)
    var result = try score(files.name, found, known, seconds: seconds)
    result.warnings = warnings.all.map(\.description)
    return result
  }

  func scorePrediction(_ files: CaseFiles) throws -> CaseScore {
    let prediction = files.images[0]
    if NIfTIFile.isNamed(prediction.path) {
      let found = try NIfTIFile(path: prediction.path).labels()
      return try score(
        files.name, found, try labels(files.labels, onto: found.grid), seconds: nil)
    }
    guard NIfTIFile.isNamed(files.labels.path) else { throw ScoringError.noGrid(files.name) }
    let known = try NIfTIFile(path: files.labels.path).labels()
    return try score(
      files.name, try labels(prediction, onto: known.grid), known, seconds: nil)
  }

  private func score(
    _ name: String, _ found: LabelVolume, _ known: LabelVolume, seconds: Double?
  ) throws -> CaseScore {
    if let labelValues { try checkValues(of: known, expected: labelValues) }
    let scores = try Evaluation.score(
      found, against: known, regions: regions, convention: convention)
    return CaseScore(name: name, scores: scores, seconds: seconds)
  }

  private func labels(_ url: URL, onto grid: VolumeGrid) throws -> LabelVolume {
    try KnownLabels.read(url, onto: grid, labels: modelLabels)
  }
}

enum ScoringError: Error, CustomStringConvertible {
  case nothingKnown
  case noGrid(String)

  var description: String {
    switch self {
    case .nothingKnown: "the known labels hold nothing but background"
    case .noGrid(let name):
      "\(name): either the segmentation or the known labels must be NIfTI, to give the grid"
    }
  }
}

/// The scores of a case, or why there are none.
struct CaseOutcome: Sendable {
  let name: String
  let result: Result<CaseScore, any Error>

  init(_ name: String, _ score: () throws -> CaseScore) {
    self.name = name
    result = Result(catching: score)
  }

  init(_ name: String, _ score: @Sendable () async throws -> CaseScore) async {
    self.name = name
    do {
      result = .success(try await score())
    } catch {
      result = .failure(error)
    }
  }

  var line: String {
    switch result {
    case .failure(let error): return "\(name): \(error)"
    case .success(let score):
      let dice = score.scores.map { $0.dice.map { String(format: "%.4f", $0) } ?? "-" }
      let seconds = score.seconds.map { String(format: ", %.2f s", $0) } ?? ""
      let warnings = score.warnings.map { "; warning: \($0)" }.joined()
      return "\(name): Dice \(dice.joined(separator: " "))\(seconds)\(warnings)"
    }
  }
}
