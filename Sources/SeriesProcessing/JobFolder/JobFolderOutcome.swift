import FileSystem
import Foundation

/// What came of a submission: `outcome.json` in its result.
public struct JobFolderOutcome: Codable, Sendable, Equatable {
  public enum End: Codable, Sendable, Equatable {
    /// The files of the result are named without their folder.
    case processed(ProcessedSeries)
    /// The job needs so many bytes of memory, more than it had.
    case memory(needed: Int, reason: String)
    case failed(reason: String, isPermanent: Bool)
    /// This machine does not compute it: its program or its model is not that of the job.
    case refused(reason: String)
  }

  /// Of the job.
  public var name: String
  /// `SegmentdVersion.results` of the program that computed it.
  public var program: String
  /// As the job asked for it, and the program was found to be.
  public var build: String?
  public var modelSHA256: String
  public var modelVersion: String
  public var fingerprint: String
  public var submission: Int
  /// The machine that computed it, as its cluster calls it.
  public var host: String
  public var end: End
  /// As `StageTimes.seconds`.
  public var seconds: [String: Double]
  /// Of the process that computed it, in bytes.
  public var peakMemory: Int?
  /// SHA-256 of each file of the result, by its name.
  public var files: [String: String]
}

extension JobFolder {
  /// Copies the result of a submission into a folder, and proves that each file is the one that was proved
  /// where it was computed.
  ///
  /// - Parameters:
  ///   - submission: its number.
  ///   - description: of the job, as the head made it.
  ///   - output: an existing, empty folder, which receives the files.
  /// - Returns: what came of it, with the files in their new folder.
  /// - Throws: ``JobFolderError/damagedResult(file:reason:)`` where it is not the result of this job, or a
  ///   file is not as it was proved; ``JobFolderError``
  public func takeResult(
    _ submission: Int, of description: JobDescription, to output: URL
  ) throws(JobFolderError) -> JobFolderOutcome {
    let folder = result(submission)
    let file = folder.appendingPathComponent("outcome.json")
    var outcome = try Self.read(JobFolderOutcome.self, file)
    guard
      outcome.name == description.name, outcome.submission == submission,
      outcome.fingerprint == description.identity.fingerprint
    else {
      throw .damagedResult(file: file.path, reason: "it is the result of another job or submission")
    }
    guard case .processed(var processed) = outcome.end else { return outcome }
    guard outcome.program == description.program, outcome.build == description.build,
      outcome.modelSHA256 == description.model.sha256
    else {
      throw .damagedResult(
        file: file.path, reason: "another program or another model computed it")
    }
    for (file, proved) in processed.outcome.files {
      guard outcome.files[file.lastPathComponent] != nil else {
        throw .damagedResult(
          file: folder.path, reason: "\(file.lastPathComponent) is not among its files")
      }
      guard proved == nil || proved == outcome.files[file.lastPathComponent] else {
        throw .damagedResult(
          file: folder.path, reason: "\(file.lastPathComponent) is not the file that was proved")
      }
    }
    for (name, sha256) in outcome.files.sorted(by: { $0.key < $1.key }) {
      let source = folder.appendingPathComponent(name)
      guard Self.isPlainName(name), Self.isRegularFile(source) else {
        throw .forbiddenPath(file: file.path, path: name)
      }
      let copy = output.appendingPathComponent(name)
      try Self.copy(source, to: copy)
      guard try Self.hash(copy) == sha256 else {
        throw .damagedResult(file: source.path, reason: "it is not as it was proved")
      }
    }
    try Self.sync(output)
    processed.outcome = processed.outcome.moved(to: output)
    outcome.end = .processed(processed)
    return outcome
  }
}

extension SeriesOutcome {
  /// Every file of the result, with the hash that it was proved with.
  var files: [(file: URL, sha256: String?)] {
    var files: [(URL, String?)] = []
    func add(_ objects: [ProvedSegmentation]) {
      for object in objects {
        files.append((object.segmentation, object.sha256))
        files.append((object.picture, nil))
        if let labels = object.labels { files.append((labels, nil)) }
        files += object.companions.map { ($0.file, $0.sha256) }
      }
    }
    func add(_ report: ProvedReport?, _ captures: [ProvedCapture]) {
      if let report { files.append((report.file, report.sha256)) }
      for capture in captures {
        files.append((capture.file, capture.sha256))
        if let picture = capture.picture { files.append((picture, nil)) }
      }
    }
    switch self {
    case .segmented(let series):
      add(series.objects)
      if let picture = series.cyclePicture { files.append((picture, nil)) }
      add(series.report, series.captures)
    case .nothingFound(let picture, _, let objects, let report, let captures):
      files.append((picture, nil))
      add(objects)
      add(report, captures)
    case .held: break
    }
    return files
  }

  /// The same with its files in another folder.
  func moved(to folder: URL) -> SeriesOutcome {
    func moved(_ file: URL) -> URL { folder.appendingPathComponent(file.lastPathComponent) }
    func moved(_ objects: [ProvedSegmentation]) -> [ProvedSegmentation] {
      objects.map { object in
        var object = object
        object.segmentation = moved(object.segmentation)
        object.picture = moved(object.picture)
        object.labels = object.labels.map(moved)
        for index in object.companions.indices {
          object.companions[index].file = moved(object.companions[index].file)
        }
        return object
      }
    }
    func moved(_ report: ProvedReport?) -> ProvedReport? {
      guard var report else { return nil }
      report.file = moved(report.file)
      return report
    }
    func moved(_ captures: [ProvedCapture]) -> [ProvedCapture] {
      captures.map { capture in
        var capture = capture
        capture.file = moved(capture.file)
        capture.picture = capture.picture.map(moved)
        return capture
      }
    }
    switch self {
    case .segmented(var series):
      series.objects = moved(series.objects)
      series.cyclePicture = series.cyclePicture.map(moved)
      series.report = moved(series.report)
      series.captures = moved(series.captures)
      return .segmented(series)
    case .nothingFound(let picture, let warnings, let objects, let report, let captures):
      return .nothingFound(
        picture: moved(picture), warnings: warnings, objects: moved(objects),
        report: moved(report), captures: moved(captures))
    case .held: return self
    }
  }
}
