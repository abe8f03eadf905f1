import DICOM
import Evaluation
import Foundation
import Ingest
import JobLedger
import Logging
import Results
import SeriesReading
import ServiceLifecycle
import Synchronization
import Volumes

/// Compares segmentations that others made, and sent to us, with our results on the same series. Nothing is
/// segmented by them, and no result is changed.
public final class SegmentationComparison: Service {
  private let state: StateDirectory
  private let ledger: Ledger
  private let logger: Logger
  /// Up to where this process has found all pairs.
  private let position = Mutex(ComparisonPosition.start)
  private let labelMaps = LabelMapPosition()

  public init(state: StateDirectory, ledger: Ledger, logger: Logger) {
    self.state = state
    self.ledger = ledger
    self.logger = logger
  }

  public func run() async throws {
    await repeatUntilShutdown(every: .seconds(5), logger: logger) { try self.compareNext() }
  }

  /// Reads the next object, or compares the next pair.
  ///
  /// - Returns: false when there is none.
  func compareNext() throws -> Bool {
    let external = try labelMaps.move { position throws(LedgerError) in
      try ledger.nextExternalSegmentation(labelMapsAfter: &position)
    }
    if let external {
      try read(external)
      return true
    }
    var position = position.withLock { $0 }
    let next = try ledger.nextComparison(after: &position)
    self.position.withLock { [position] in $0 = position }
    guard let due = next else { return false }
    let pair = SegmentationPair(
      ours: due.paths.map { state.file($0).path }, theirs: state.file(due.external.spoolPath).path)
    var scores: [ComparisonScore] = []
    var fault: String?
    try ledger.beginComparison(due)
    do { scores = try pair.scores() } catch {
      guard isLasting(error) else {
        try ledger.abandonComparison(due)
        throw error
      }
      fault = "\(error)"
    }
    try ledger.record(due, scanner: pair.scanner, scores: scores, fault: fault)
    logger.info(
      fault.map { "a segmentation of others cannot be compared: \($0)" }
        ?? "a segmentation of others was compared",
      metadata: [
        "study": "\(ledger.studyForLog(ofJob: due.job))", "series": "\(due.seriesInstanceUID)",
        "job": "\(due.job)", "instance": "\(due.external.sopInstanceUID)",
      ])
    return true
  }

  private func read(_ external: ExternalSegmentation) throws {
    try ledger.beginReading(external)
    let path = state.file(external.spoolPath).path
    let dataset: Dataset
    do { dataset = try DICOMFile(path: path).dataset } catch {
      return try ledger.record(
        external, of: [], madeWith: "", isOurs: false, fault: error.description)
    }
    let made = [DICOM.Tag.manufacturer, .manufacturerModelName].map { dataset.text($0) ?? "" }
    let series = dataset.items(.referencedSeriesSequence).compactMap { $0.text(.seriesInstanceUID) }
    try ledger.record(
      external, of: series, madeWith: made.filter { !$0.isEmpty }.joined(separator: " "),
      isOurs: try OwnSegmentation(state: state, ledger: ledger).isSent(path, dataset),
      fault: series.isEmpty ? "\(DICOM.Tag.referencedSeriesSequence) names no series" : nil)
  }
}

/// The instance up to which label maps of others were looked for.
private final class LabelMapPosition: Sendable {
  private let value = Mutex<Int64>(0)

  func move<Value: Sendable>(
    _ look: (inout Int64) throws(LedgerError) -> Value
  ) throws(LedgerError) -> Value {
    // A mutex gives the errors of its closures untyped here.
    var position = value.withLock { $0 }
    defer { value.withLock { [position] in $0 = position } }
    return try look(&position)
  }
}

/// The objects of a result of ours, and an object of somebody else on the same series.
struct SegmentationPair {
  let ours: [String]
  let theirs: String

  /// Maker and model of what made the images, as our object has it; empty where the images did not say.
  var scanner: String {
    guard let path = ours.first, let dataset = try? DICOMFile(path: path).dataset else { return "" }
    let equipment = dataset.items(.contributingEquipmentSequence).first {
      $0.items(.purposeOfReferenceCodeSequence).first?.text(.codeValue) == "109101"
    }
    return [DICOM.Tag.manufacturer, .manufacturerModelName]
      .compactMap { equipment?.text($0) }.filter { !$0.isEmpty }.joined(separator: " ")
  }

  /// Scores the structures that both have, matched by their codes.
  ///
  /// - Throws: ``SegmentationPairError``, `SegmentationLabelsError`, `EvaluationError`.
  func scores() throws -> [ComparisonScore] {
    let theirSegments = try SegmentationLabels.segments(of: theirs)
    var scores: [ComparisonScore] = []
    for path in try ofSameImages() {
      try Task.checkCancellation()
      let ourSegments = try SegmentationLabels.segments(of: path)
      let common = ourSegments.compactMap { segment in
        theirSegments.match(segment, of: ourSegments).map { (segment, $0) }
      }
      guard !common.isEmpty else { continue }
      let grid = try SegmentationLabels.grid(covering: [path, theirs])
      scores += try score(common, path, on: grid)
    }
    guard !scores.isEmpty else {
      throw SegmentationPairError.nothingInCommon(segments: theirSegments.count)
    }
    return scores
  }

  private typealias Segment = SegmentationLabels.Segment

  /// All at once; one after the other where some overlap.
  private func score(
    _ segments: [(ours: Segment, theirs: Segment)], _ path: String, on grid: VolumeGrid
  ) throws -> [ComparisonScore] {
    func labels(_ path: String, _ number: (Segment, Segment) -> Int) throws -> LabelVolume {
      let values = Dictionary(
        segments.enumerated().map { (number($1.ours, $1.theirs), UInt8(clamping: $0 + 1)) },
        uniquingKeysWith: { first, _ in first })
      return try SegmentationLabels.read(path, onto: grid) { values[$0.number] }
    }
    do {
      let found = try labels(path) { ours, _ in ours.number }
      let known = try labels(theirs) { _, theirs in theirs.number }
      let regions = segments.enumerated().map {
        Region(label: UInt8(clamping: $0 + 1), name: $1.ours.name)
      }
      return try Evaluation.score(found, against: known, regions: regions).map(ComparisonScore.init)
    } catch SegmentationLabelsError.overlap where segments.count > 1 {
      return try segments.flatMap { segment in
        try Task.checkCancellation()
        return try score([segment], path, on: grid)
      }
    }
  }

  /// Our objects of the images that theirs refers to: of a series over time each phase has an object.
  private func ofSameImages() throws -> [String] {
    guard ours.count > 1 else { return ours }
    let wanted = try images(theirs)
    return try ours.filter { try !images($0).isDisjoint(with: wanted) }
  }

  private func images(_ path: String) throws -> Set<String> {
    Set(
      try DICOMFile(path: path).dataset.items(.referencedSeriesSequence)
        .flatMap { $0.items(.referencedInstanceSequence) }
        .compactMap { $0.text(.referencedSOPInstanceUID) })
  }
}

enum SegmentationPairError: Error, Equatable, CustomStringConvertible {
  case nothingInCommon(segments: Int)

  var description: String {
    switch self {
    case .nothingInCommon(let segments):
      "none of its \(segments) segments has the codes of a structure of the result"
    }
  }
}

extension [SegmentationLabels.Segment] {
  /// The segment of the same codes and name, or of the same codes where there is one of these on both sides.
  fileprivate func match(_ segment: Element, of others: [Element]) -> Element? {
    let isAlike = { (one: Element) in one.type == segment.type && one.modifier == segment.modifier }
    let alike = filter(isAlike)
    if let named = alike.first(where: { $0.name == segment.name }) { return named }
    return alike.count == 1 && others.count(where: isAlike) == 1 ? alike[0] : nil
  }
}

extension ComparisonScore {
  init(_ score: RegionScore) {
    self.init(
      segment: score.region.name, dice: score.dice ?? 1,
      hd95: score.hd95.isFinite ? score.hd95 : nil, ourMillilitres: score.foundMillilitres,
      theirMillilitres: score.knownMillilitres)
  }
}

/// Whether an error would be the same the next time: that of a file that cannot be opened now, or of a stop, is
/// not.
private func isLasting(_ error: any Error) -> Bool {
  switch error {
  case is CancellationError: false
  case SegmentationLabelsError.unreadable(let error): error.isFileFault
  case let error as DICOMError: error.isFileFault
  default: true
  }
}
