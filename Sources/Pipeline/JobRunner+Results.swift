import Foundation
import JobLedger
import Logging
import Results
import Segmentation
import SeriesProcessing
import SeriesReading

/// What came of a job, for the ledger.
extension JobRunner {
  /// A series that was processed although instances may be missing keeps saying so.
  private func withWhatIsMissing(_ verdict: SeriesVerdict) throws -> SeriesVerdict {
    let incompleteness = try ledger.incompleteness(series: verdict.seriesInstanceUID)
    return verdict.incomplete(
      because: incompleteness.reasons + incompleteness.remarks,
      isHeld: false)
  }

  /// Records what came of a job.
  func finish(_ job: ClaimedJob, _ outcome: JobOutcome) throws {
    let verdicts = try outcome.processed.assessments.map {
      try withWhatIsMissing(SeriesVerdict($0))
    }
    let modelVersion = outcome.modelVersion
    let run = JobRun(outcome)
    switch outcome.processed.outcome {
    case .held(let reasons):
      logger.notice(
        "series held: \(reasons.joined(separator: "; "))", metadata: metadata(job))
      try ledger.holdJob(
        job.id, reason: reasons.joined(separator: "; "), verdicts: verdicts, run: run)
    case .nothingFound(let picture, let warnings, let segmentations, let report, let captures):
      for warning in warnings { logger.warning("\(warning)", metadata: metadata(job)) }
      let lines =
        ["no structure of the model was found"]
        + (report == nil ? [] : ["a report says so"]) + warnings.map { "warning: \($0)" }
      let result = JobResult(
        objects: segmentations.map { stored($0, of: job) } + stored(report, of: job)
          + captures.map { stored($0, of: job) }
          + (try ([picture] + captures.compactMap(\.picture)).map {
            try stored(picture: $0, of: job)
          }),
        modelVersion: modelVersion,
        summary: lines.joined(separator: "; "))
      try ledger.completeJob(
        job.id, result: result, destinations: try destinations.targets(of: job), verdicts: verdicts,
        run: run)
      logger.info("job completed: nothing found", metadata: metadata(job))
    case .segmented(let result):
      for warning in result.warnings { logger.warning("\(warning)", metadata: metadata(job)) }
      try complete(job, result, verdicts: verdicts, modelVersion: modelVersion, run: run)
      let memory = result.memory
      logger.info(
        "job completed in \(outcome.times.line)",
        metadata: metadata(job).merging([
          "predictedMemoryBytes": "\(memory.predicted)",
          "peakMemoryBytes": "\(memory.peak ?? 0)",
        ]) { $1 })
    }
  }

  private func complete(
    _ job: ClaimedJob, _ series: SegmentedSeries, verdicts: [SeriesVerdict], modelVersion: String,
    run: JobRun
  ) throws {
    let segmentations = series.objects.map { stored($0, of: job) }
    let pictures = try
      ([series.cyclePicture].compactMap(\.self) + series.pictures
      + series.captures.compactMap(\.picture))
      .map { try stored(picture: $0, of: job) }
    let result = JobResult(
      objects: segmentations + stored(series.report, of: job)
        + series.captures.map { stored($0, of: job) }
        + series.objects.flatMap(\.companions).map { stored($0, of: job) } + pictures,
      modelVersion: modelVersion, summary: series.summary,
      measurements: series.measurements)
    try ledger.completeJob(
      job.id, result: result, destinations: try destinations.targets(of: job), verdicts: verdicts,
      run: run)
  }

  private func stored(_ object: ProvedSegmentation, of job: ClaimedJob) -> StoredObject {
    .segmentation(
      sopInstanceUID: object.sopInstanceUID, path: path(object.segmentation, of: job),
      sha256: object.sha256)
  }

  private func stored(_ companion: ProvedCompanion, of job: ClaimedJob) -> StoredObject {
    let kind: StoredObject.Kind =
      switch companion.kind {
      case .labelMap: .labelmap
      case .fractional: .fractional
      case .structureSet: .rtstruct
      }
    return .object(
      kind, sopInstanceUID: companion.sopInstanceUID, path: path(companion.file, of: job),
      sha256: companion.sha256)
  }

  private func stored(_ report: ProvedReport?, of job: ClaimedJob) -> [StoredObject] {
    guard let report else { return [] }
    return [
      .report(
        sopInstanceUID: report.sopInstanceUID, path: path(report.file, of: job),
        sha256: report.sha256)
    ]
  }

  private func stored(_ capture: ProvedCapture, of job: ClaimedJob) -> StoredObject {
    let kind: StoredObject.Kind =
      switch capture.form {
      case .frames: .capture
      case .frame: .captureFrame
      case .page: .capturePage
      }
    return .object(
      kind, sopInstanceUID: capture.sopInstanceUID, path: path(capture.file, of: job),
      sha256: capture.sha256)
  }

  private func stored(picture: URL, of job: ClaimedJob) throws -> StoredObject {
    .picture(path: path(picture, of: job), sha256: try hexadecimalSHA256(ofFile: picture))
  }

  private func path(_ file: URL, of job: ClaimedJob) -> String {
    "\(folder(of: job))/\(file.lastPathComponent)"
  }
}

extension JobRun {
  init(_ outcome: JobOutcome) {
    self.init(
      seconds: outcome.times.seconds, peakMemory: outcome.peakMemory, place: outcome.place)
    if case .segmented(let series) = outcome.processed.outcome {
      predictedMemory = series.memory.predicted
      peakMemory = series.memory.peak
    }
  }
}
