import FileSystem
import Foundation
import Results
import Segmentation
import Synchronization
import Wording

/// Computes the job of a ``JobFolder``, on any machine: no ledger, no network.
///
/// ```swift
/// let work = JobFolderWork(JobFolder(url)) { ModelLibrary(directories: [], threads: $0) }
/// let end = try await work.run(interruption: interruption) { print($0) }
/// ```
public struct JobFolderWork: Sendable {
  /// How it ended.
  public enum End: Sendable, Equatable {
    /// The result was written, with the reason where the series was not segmented.
    case written(problem: String?)
    /// It had been computed before.
    case alreadyThere
    /// Another submission than this one is asked for by now.
    case superseded(by: Int)
  }

  private let folder: JobFolder
  private let models: @Sendable (_ threads: Int) -> ModelLibrary
  private let host: String
  private let visibility: Duration
  private let build: @Sendable () throws -> String

  /// - Parameters:
  ///   - folder: of the job.
  ///   - host: what this machine is called by the cluster that it is of.
  ///   - visibility: after which what the head has written is seen here: network file systems keep names in a cache.
  ///   - build: which one this program is; asked for where the job is for one alone.
  ///   - models: those of this machine, for a number of threads.
  public init(
    _ folder: JobFolder, host: String = ProcessInfo.processInfo.hostName,
    visibility: Duration = .seconds(75),
    build: @escaping @Sendable () throws -> String = { try ProgramBuild.own() },
    models: @escaping @Sendable (_ threads: Int) -> ModelLibrary
  ) {
    self.folder = folder
    self.host = host
    self.visibility = visibility
    self.build = build
    self.models = models
  }

  /// Computes the job and writes its result, what went wrong included.
  ///
  /// - Parameters:
  ///   - submission: the number of this one; nil for the one that is recorded in the folder.
  ///   - pack: what it is called with others that are computed together; nil for any.
  ///   - threads: worker threads; nil for those that are recorded.
  ///   - interruption: stops it after the pass of the network in hand, with a checkpoint in the folder.
  ///   - log: is told what is done, in a line each.
  /// - Throws: `SegmentationInterrupted`; ``ProcessingFault`` where this machine is at fault, and no result is
  ///   written; ``JobFolderError`` where the folder is not what it should be.
  public func run(
    submission: Int? = nil, pack: String? = nil, threads: Int? = nil, interruption: Interruption,
    log: @escaping @Sendable (String) -> Void
  ) async throws -> End {
    do {
      return try await runUnchecked(
        submission: submission, pack: pack, threads: threads, interruption: interruption, log: log)
    } catch {
      if let fault = ProcessingFault(error) { throw fault }
      throw error
    }
  }

  private func runUnchecked(
    submission: Int?, pack: String?, threads: Int?, interruption: Interruption,
    log: @escaping @Sendable (String) -> Void
  ) async throws -> End {
    let recorded = try await recorded(for: submission, interruption)
    let number = submission ?? recorded.number
    guard number == recorded.number, pack == nil || pack == recorded.pack else {
      return .superseded(by: recorded.number)
    }
    guard !folder.hasResult(number) else { return .alreadyThere }
    let teller = WorkLog(folder: folder, submission: number, host: host, line: log)
    teller.begin()
    let description = try folder.description()
    let output = folder.url.appendingPathComponent(
      "result.\(number).\(UUID().uuidString).tmp", isDirectory: true)
    try JobFolder.makeFolder(output)
    do {
      let times = StageTimes()
      let end = try await end(
        description, recorded, threads: threads, output: output, times: times,
        interruption: interruption, log: teller)
      return try write(
        end, of: description, submission: number, output: output, times: times)
    } catch {
      // First what it wrote: on a full disk there is no space for the note otherwise.
      try? FileManager.default.removeItem(at: output)
      if let fault = ProcessingFault(error) { teller.note { $0.fault = fault.description } }
      throw error
    }
  }

  /// What was asked for last, as this machine sees it. A submission is recorded before it is made: where an earlier one is
  /// seen, it is looked again.
  private func recorded(for asked: Int?, _ interruption: Interruption) async throws
    -> JobSubmission
  {
    let start = ContinuousClock.now
    while true {
      let recorded =
        try folder.submission() ?? JobSubmission(memory: nil, threads: 0, minutes: 0)
      guard let asked, recorded.number < asked, start.duration(to: .now) < visibility,
        !interruption.isRequested
      else { return recorded }
      folder.refresh()
      try await Task.sleep(for: min(.seconds(1), visibility / 4))
    }
  }

  /// What comes of it; only what shall be tried again on another machine, or cannot be told, is thrown.
  private func end(
    _ description: JobDescription, _ submission: JobSubmission, threads: Int?, output: URL,
    times: StageTimes, interruption: Interruption, log: WorkLog
  ) async throws -> JobFolderOutcome.End {
    do {
      return .processed(
        try await compute(
          description, submission, threads: threads ?? threadCount(submission.threads),
          output: output, times: times, interruption: interruption, log: log))
    } catch let interrupted as SegmentationInterrupted {
      var progress =
        folder.progress()
        ?? JobProgress(
          patchesDone: 0, patchesTotal: interrupted.patches, patchesBefore: 0, seconds: 0)
      progress.patchesKept = interrupted.keptPatches
      folder.note(progress)
      throw interrupted
    } catch let error as CancellationError {
      throw error
    } catch let shortage as MemoryShortage {
      return .memory(needed: shortage.job + shortage.process, reason: shortage.description)
    } catch {
      if let fault = ProcessingFault(error) { throw fault }
      if let error = error as? JobFolderError {
        if case .notWritten = error { throw error }
        if error.isRefusal { return .refused(reason: error.description) }
        return .failed(reason: error.description, isPermanent: error.isPermanent)
      }
      // The head has it, and with the hash that the job names.
      if error is ModelLibraryError || error is ModelBundleError {
        return .refused(reason: "the model cannot be used on this node: \(error)")
      }
      return .failed(reason: "\(error)", isPermanent: JobFailure.isPermanent(error))
    }
  }

  private func compute(
    _ description: JobDescription, _ submission: JobSubmission, threads: Int, output: URL,
    times: StageTimes, interruption: Interruption, log: WorkLog
  ) async throws -> ProcessedSeries {
    guard description.program == SegmentdVersion.results else {
      throw JobFolderError.otherProgram(
        file: folder.job.path, wanted: description.program, here: SegmentdVersion.results)
    }
    if let wanted = description.build {
      let here = try build()
      guard here == wanted else {
        throw JobFolderError.otherBuild(file: folder.job.path, wanted: wanted, here: here)
      }
    }
    let instructionSet = try description.pinnedInstructionSet(in: folder.job)
    let segmenter = try await models(threads).segmenter(
      description.model.name, instructionSet: instructionSet)
    let model = segmenter.bundle.sha256
    guard model == description.model.sha256 else {
      throw JobFolderError.otherModel(
        name: description.model.name, wanted: description.model.sha256, here: model)
    }
    try folder.verifyInput(description)
    let input = description.input(in: folder.url)
    let processor = SeriesProcessor(
      geometry: description.geometry, installation: description.installation,
      memory: MemoryBudget(limit: submission.memory, isExtensible: true),
      options: description.options, instructionSet: instructionSet)
    let fingerprint = try processor.dependencies(of: input, model: segmenter.bundle).fingerprint
    guard fingerprint == description.identity.fingerprint else {
      throw JobFolderError.otherFingerprint(
        file: folder.job.path, wanted: description.identity.fingerprint, here: fingerprint)
    }
    let uid = description.identity.seriesInstanceUID
    guard uid == description.resultSeriesInstanceUID else {
      throw JobFolderError.otherResultUID(
        file: folder.job.path, wanted: description.resultSeriesInstanceUID, here: uid)
    }
    let count = description.allFiles.count
    let series = description.series.seriesInstanceUID
    log.line("series \(series): \(counted(count, "file")), model \(description.model.name)")
    let control = SegmentationControl(
      interruption: interruption,
      checkpoints: PredictionCheckpoints(
        folder: folder.checkpoint, fingerprint: fingerprint, program: SegmentdVersion.results,
        interval: description.checkpointSeconds.map { .seconds($0) }
      ) { log.note($0) })
    let notes = ProgressNotes(folder)
    return try await processor.process(
      input, segmenter: segmenter, identity: description.identity, output: output, times: times,
      control: control
    ) { notes.note($0) }
  }

  /// Makes the result of what is in a folder.
  private func write(
    _ end: JobFolderOutcome.End, of description: JobDescription, submission: Int, output: URL,
    times: StageTimes
  ) throws(JobFolderError) -> End {
    var end = end
    var problem: String?
    var files: [String: String] = [:]
    switch end {
    case .processed(var processed):
      if case .held(let reasons) = processed.outcome { problem = reasons.joined(separator: "; ") }
      processed.outcome = processed.outcome.moved(to: URL(fileURLWithPath: "/"))
      end = .processed(processed)
      files = try Self.syncedFiles(of: output)
    case .memory(_, let reason), .failed(let reason, _), .refused(let reason): problem = reason
    }
    try JobFolder.write(
      JobFolderOutcome(
        name: description.name, program: SegmentdVersion.results, build: description.build,
        modelSHA256: description.model.sha256, modelVersion: description.model.version,
        fingerprint: description.identity.fingerprint, submission: submission,
        host: host, end: end, seconds: times.seconds,
        peakMemory: MemoryBudget.peakResident, files: files),
      to: output.appendingPathComponent("outcome.json"))
    let place = folder.result(submission)
    if let error = JobFolder.moveFolder(output, to: place) {
      // Where a machine was taken for dead, another one computes the same.
      guard [EEXIST, ENOTEMPTY].contains(error.number) else { throw .notWritten(place, error) }
      try? FileManager.default.removeItem(at: output)
      return .alreadyThere
    }
    try JobFolder.sync(folder.url)
    return .written(problem: problem)
  }

  /// SHA-256 of each file by its name, once all are on the disk.
  private static func syncedFiles(of folder: URL) throws(JobFolderError) -> [String: String] {
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: folder.path) } catch {
      throw .unreadable(folder, error)
    }
    var files: [String: String] = [:]
    for name in names {
      let file = folder.appendingPathComponent(name)
      do { try DurableFile.sync(file.path) } catch { throw JobFolderError(error) }
      files[name] = try JobFolder.hash(file)
    }
    return files
  }
}

/// Tells people, here and at the head, what is done.
private struct WorkLog: Sendable {
  let folder: JobFolder
  let submission: Int
  let host: String
  let line: @Sendable (String) -> Void

  private var node: JobNodeNote { JobNodeNote(host: host) }

  /// Says which machine this is, in place of what one said that had the submission before.
  func begin() { folder.note(node, of: submission) }

  /// Changes what the folder says of this machine.
  func note(_ change: (inout JobNodeNote) -> Void) {
    var node = folder.node(submission) ?? self.node
    change(&node)
    folder.note(node, of: submission)
  }

  func note(_ report: PredictionCheckpoints.Report) {
    switch report {
    case .resumed(let patches, let all):
      line("resumes from its checkpoint, after \(patches) of \(all) patches")
      note { $0.checkpoint = .resumed(patches: patches, of: all) }
    case .discarded(let reason):
      line("starts over: \(reason)")
      note { $0.checkpoint = .discarded(reason: reason) }
    case .notWritten(let reason): line("no checkpoint, the job continues: \(reason)")
    case .written: break
    }
  }
}

/// Notes in the folder how far the job has come, no more than every two seconds.
private final class ProgressNotes: Sendable {
  private let folder: JobFolder
  private let noted = Mutex<ContinuousClock.Instant?>(nil)

  init(_ folder: JobFolder) { self.folder = folder }

  func note(_ progress: SegmentationProgress) {
    let isTime = noted.withLock { noted in
      let now = ContinuousClock.now
      if let last = noted, last.duration(to: now) < .seconds(2) { return false }
      noted = now
      return true
    }
    guard isTime else { return }
    folder.note(
      JobProgress(
        patchesDone: progress.patchesDone, patchesTotal: progress.patchesTotal,
        patchesBefore: progress.patchesBefore, seconds: progress.elapsed / .seconds(1)))
  }
}
