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
import Wording

/// Compares segmentations and structure sets that others made, and sent to us, with our results on the same series. Nothing is
/// segmented by them, and no result is changed.
public final class SegmentationComparison: Service {
  private let state: StateDirectory
  private let ledger: Ledger
  private let logger: Logger
  /// Up to where this process has found all pairs.
  private let position = Mutex(ComparisonPosition.start)
  private let unindexed = UnindexedPosition()

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
    let external = try unindexed.move { position throws(LedgerError) in
      try ledger.nextExternalSegmentation(unindexedAfter: &position)
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
    let series = dataset.referencedSeries.compactMap { $0.text(.seriesInstanceUID) }
    let sequence =
      dataset.isStructureSet ? DICOM.Tag.rtReferencedSeriesSequence : .referencedSeriesSequence
    try ledger.record(
      external, of: series, madeWith: made.filter { !$0.isEmpty }.joined(separator: " "),
      isOurs: try OwnSegmentation(state: state, ledger: ledger).isSent(path, dataset),
      fault: series.isEmpty ? "\(sequence) names no series" : nil)
  }
}

/// The instance up to which label maps and structure sets of others were looked for.
private final class UnindexedPosition: Sendable {
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

  /// Scores the structures that both have, matched by their codes, and regions of a structure set without the codes
  /// of a structure by their names.
  ///
  /// - Throws: ``SegmentationPairError``, `SegmentationLabelsError`, `EvaluationError`.
  func scores() throws -> [ComparisonScore] {
    let all = try SegmentationLabels.segments(of: theirs)
    var scores: [ComparisonScore] = []
    for path in try ofSameImages() {
      try Task.checkCancellation()
      let ourSegments = try SegmentationLabels.segments(of: path)
      let theirSegments = try all.inFrameOfReference(of: path)
      let common = ourSegments.compactMap { segment in
        theirSegments.match(segment, of: ourSegments).map { (segment, $0) }
      }
      guard !common.isEmpty else { continue }
      let grid = try SegmentationLabels.grid(
        covering: [path, theirs], regions: Set(common.map { $0.1.number }))
      scores += try score(common, path, on: grid)
    }
    guard !scores.isEmpty else {
      throw SegmentationPairError.nothingInCommon(segments: all.count)
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
    } catch let error as SegmentationLabelsError where error.isOverlap && segments.count > 1 {
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
    let dataset = try DICOMFile(path: path).dataset
    let images =
      dataset.isStructureSet ? DICOM.Tag.contourImageSequence : .referencedInstanceSequence
    return Set(
      dataset.referencedSeries.flatMap { $0.items(images) }
        .compactMap { $0.text(.referencedSOPInstanceUID) })
  }
}

extension Dataset {
  fileprivate var isStructureSet: Bool { text(.sopClassUID) == StructureSetStorage.sopClassUID }

  /// The items of the series that a segmentation or a structure set refers to.
  fileprivate var referencedSeries: [Dataset] {
    guard isStructureSet else { return items(.referencedSeriesSequence) }
    return items(.referencedFrameOfReferenceSequence)
      .flatMap { $0.items(.rtReferencedStudySequence) }
      .flatMap { $0.items(.rtReferencedSeriesSequence) }
  }
}

enum SegmentationPairError: Error, Equatable, CustomStringConvertible {
  case nothingInCommon(segments: Int)
  case otherFrameOfReference(String)

  var description: String {
    switch self {
    case .nothingInCommon(let segments):
      "none of its \(counted(segments, "segment")) has the codes of a structure of the result, and no region its name"
    case .otherFrameOfReference(let uid):
      "\(DICOM.Tag.frameOfReferenceUID) \(DICOMUID.isValid(uid) ? uid : "") is not that of the images"
    }
  }
}

extension [SegmentationLabels.Segment] {
  /// The segment of the same codes and name, or of the same codes where there is one of these on both sides; of a
  /// structure set, where no region has the codes, the one of the name.
  fileprivate func match(_ segment: Element, of others: [Element]) -> Element? {
    let isAlike = { (one: Element) in one.type == segment.type && one.modifier == segment.modifier }
    let alike = filter(isAlike)
    if let named = alike.first(where: { $0.name == segment.name }) { return named }
    if alike.count == 1, others.count(where: isAlike) == 1 { return alike[0] }
    let named = filter { $0.isRegion && $0.isNamed(segment.name) }
    return alike.isEmpty && named.count == 1 ? named[0] : nil
  }

  /// Those in the frame of reference of an object of ours. Where that is one that we gave to images without any, and
  /// where they name none, there is nothing to compare.
  ///
  /// - Throws: ``SegmentationPairError/otherFrameOfReference(_:)`` where there are others alone.
  fileprivate func inFrameOfReference(of path: String) throws -> [Element] {
    let ours = try DICOMFile.withPixelsOnDisk(path: path).dataset
    let uid = ours.text(.frameOfReferenceUID)
    let isGiven = ours.referencedSeries.contains {
      $0.text(.seriesInstanceUID).map(GivenFrameOfReference.uid(ofSeries:)) == uid
    }
    guard !isGiven else { return self }
    let found = filter { ($0.frameOfReferenceUID ?? "").isEmpty || $0.frameOfReferenceUID == uid }
    if found.isEmpty, let other = first?.frameOfReferenceUID {
      throw SegmentationPairError.otherFrameOfReference(other)
    }
    return found
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
