import FileSystem
import Foundation
import GeometryGate
import Results
import Segmentation
import SeriesReading
import Tensors
import TestSupport
import Testing

@testable import SeriesProcessing

/// A job as a folder, which is computed with the same bytes as by the processor itself.
@Suite(.timeLimit(.minutes(20))) struct JobFolderTests {
  private let temporary: TemporaryFolder
  private let series: CineSeries
  private let models = TestFiles.fixtures.appendingPathComponent("models")
  private let bundle: ModelBundle
  private var options = ResultOptions()

  init() throws {
    temporary = try TemporaryFolder()
    series = try CineSeries(triggerTimes: [0])
    bundle = try ModelBundle.load(at: models.appendingPathComponent("untrained-tiny-mr"))
    options.writesReport = true
    options.captures = .both
    options.writesLabelMap = true
  }

  private var processor: SeriesProcessor {
    SeriesProcessor(
      geometry: GeometryRules(), installation: "TEST", memory: MemoryBudget(limit: nil),
      options: options)
  }

  private func folder(_ name: String) throws -> URL {
    let url = temporary.url.appendingPathComponent(name)
    try FileManager.default.createDirectory(
      at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    return url
  }

  private func make(_ change: (inout JobSettings) -> Void = { _ in }) throws -> JobFolder {
    let input = ModelInput(series.files)
    let fingerprint = try processor.dependencies(of: input, model: bundle).fingerprint
    var settings = JobSettings(
      model: JobDescription.Model(bundle, named: "untrained-tiny-mr"),
      identity: ResultIdentity(
        fingerprint: fingerprint,
        replaces: ReplacedSeries(studyInstanceUID: "1.2", seriesInstanceUID: "1.2.3")),
      installation: "TEST", geometry: GeometryRules(), options: options)
    change(&settings)
    let folder = try JobFolder.make(
      in: try self.folder("jobs"), name: "job-\(UUID().uuidString)", input: input,
      settings: settings)
    try folder.record(JobSubmission(memory: nil, threads: 1, minutes: 1))
    return folder
  }

  private func work(
    _ folder: JobFolder, submission: Int? = nil, interruption: Interruption = Interruption(),
    visibility: Duration = .milliseconds(200)
  ) async throws -> JobFolderWork.End {
    try await JobFolderWork(folder, visibility: visibility) { [models] in
      ModelLibrary(directories: [models], threads: $0)
    }.run(submission: submission, interruption: interruption) { _ in }
  }

  private func contents(_ folder: URL) throws -> [String: Data] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    return Dictionary(
      try names.map { ($0, try Data(contentsOf: folder.appendingPathComponent($0))) },
      uniquingKeysWith: { $1 })
  }

  /// What the processor makes of it in this process.
  private func local(_ description: JobDescription) async throws -> (ProcessedSeries, URL) {
    let output = try folder("local")
    let segmenter = try Segmenter(bundle: bundle, threads: 1)
    let processed = try await processor.process(
      ModelInput(series.files), segmenter: segmenter, identity: description.identity,
      output: output
    ) { _ in }
    return (processed, output)
  }

  @Test func theResultHasTheSameBytesAsInOneProcess() async throws {
    let build = try ProgramBuild.identity(
      of: Bundle.main.bundleURL.appendingPathComponent("segmentd"))
    let folder = try make { $0.build = build }
    let description = try folder.description()
    // Another process, as on a node.
    let program = Bundle.main.bundleURL.appendingPathComponent("segmentd").path
    let result = try await runProcess(
      program, ["work", "--models", models.path, folder.url.path])
    try #require(result.status == 0, "\(result.output)")
    let output = try self.folder("taken")
    let outcome = try folder.takeResult(1, of: description, to: output)
    let (wanted, place) = try await local(description)
    guard case .processed(let processed) = outcome.end else {
      Issue.record("\(outcome)")
      return
    }
    #expect(try contents(output) == contents(place))
    #expect(try contents(output).count >= 5)
    #expect(processed.assessments == wanted.assessments)
    // But for what the processes took.
    guard case .segmented(var found) = processed.outcome,
      case .segmented(let made) = wanted.outcome.moved(to: output)
    else {
      Issue.record("\(processed.outcome)")
      return
    }
    found.memory = made.memory
    #expect(found == made)
    #expect(outcome.seconds["network"] != nil && outcome.peakMemory ?? 0 > 0)
    let mode = try FileManager.default.subpathsOfDirectory(atPath: folder.url.path)
      .filter { !$0.hasPrefix("input/") }
      .map { try #require(FileStatus(folder.url.path + "/" + $0)) }
    #expect(mode.allSatisfy { $0.mode == ($0.isFolder ? 0o700 : 0o600) })
    // Once more there is nothing to do.
    #expect(try await work(folder) == .alreadyThere)
    #expect(try await work(folder, submission: 2) == .superseded(by: 1))
    let node = try #require(folder.node(1))
    #expect(node.host == outcome.host && node.fault == nil)
  }

  /// The instruction set of the folder, not the fastest of the machine.
  @Test func aFolderMayNameTheInstructionSet() async throws {
    let pinned = SeriesProcessor(
      geometry: GeometryRules(), installation: "TEST", memory: MemoryBudget(limit: nil),
      options: options, instructionSet: .portable)
    let input = ModelInput(series.files)
    let fingerprint = try pinned.dependencies(of: input, model: bundle).fingerprint
    let folder = try make {
      $0.instructionSet = .portable
      $0.identity = ResultIdentity(fingerprint: fingerprint)
    }
    #expect(try await work(folder) == .written(problem: nil))
    let output = try self.folder("taken")
    let description = try folder.description()
    _ = try folder.takeResult(1, of: description, to: output)
    let place = try self.folder("pinned")
    let segmenter = try Segmenter(bundle: bundle, threads: 1, instructionSet: .portable)
    _ = try await pinned.process(
      input, segmenter: segmenter, identity: description.identity, output: place
    ) { _ in }
    #expect(try contents(output) == contents(place))

    // Of a version that knows more of them.
    let other = try make()
    var job = try other.description()
    job.instructionSet = "avx1024"
    try JobFolder.write(job, to: other.job)
    _ = try await work(other)
    let outcome = try other.takeResult(1, of: job, to: try self.folder("other"))
    guard case .refused(let reason) = outcome.end else {
      Issue.record("\(outcome.end)")
      return
    }
    #expect(reason.contains("avx1024"))
  }

  /// Another node may have it.
  @Test func aMissingInstructionSetIsTheMachinesFault() throws {
    let missing = MissingInstructionSet(wanted: .avx512, available: [.portable])
    #expect(try #require(ProcessingFault(missing)).description == "\(missing)")
  }

  /// Of a folder that was put into another pack by now, or into none, nothing is computed.
  @Test func onlyTheFoldersOfAPackAreComputed() async throws {
    let folder = try make()
    func work(pack: String) async throws -> JobFolderWork.End {
      try await JobFolderWork(folder) { [models] in
        ModelLibrary(directories: [models], threads: $0)
      }.run(pack: pack, interruption: Interruption()) { _ in }
    }
    #expect(try await work(pack: "a") == .superseded(by: 1))
    var submission = JobSubmission(memory: nil, threads: 1, minutes: 1)
    submission.pack = "a"
    try folder.record(submission)
    #expect(try await work(pack: "b") == .superseded(by: 1))
    #expect(try await work(pack: "a") == .written(problem: nil))
  }

  @Test func resumesAfterAnInterruption() async throws {
    let folder = try make()
    let interruption = Interruption()
    interruption.request()
    await #expect(throws: SegmentationInterrupted.self) {
      try await work(folder, interruption: interruption)
    }
    #expect(!folder.hasResult(1))
    #expect(try await work(folder) == .written(problem: nil))
    let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(left.allSatisfy { !$0.hasSuffix(".tmp") })
  }

  /// As on a network file system, where an earlier record is seen for some time.
  @Test func aRecordThatIsSeenLateIsWaitedFor() async throws {
    let folder = try make()
    let next = Task {
      try await Task.sleep(for: .milliseconds(300))
      try folder.record(JobSubmission(number: 2, memory: nil, threads: 1, minutes: 1))
    }
    let end = try await work(folder, submission: 2, visibility: .seconds(300))
    #expect(end == .written(problem: nil))
    try await next.value
    #expect(folder.hasResult(2) && !folder.hasResult(1))
  }

  /// The answer of a file server was lost, and it is asked again.
  @Test func whatWasDoneBeforeTheAnswerWasLostIsDone() throws {
    let parent = try folder("moved")
    let from = parent.appendingPathComponent("a", isDirectory: true)
    let place = parent.appendingPathComponent("b", isDirectory: true)
    #expect(JobFolder.moveFolder(from, to: place)?.number == ENOENT)
    try JobFolder.makeFolder(from)
    try JobFolder.makeFolder(from)
    #expect(JobFolder.moveFolder(from, to: place) == nil)
    #expect(JobFolder.moveFolder(from, to: place) == nil)
    try JobFolder.makeFolder(from)
    try Data().write(to: place.appendingPathComponent("x"))
    #expect(JobFolder.moveFolder(from, to: place)?.number == ENOTEMPTY)
    let file = parent.appendingPathComponent("file")
    try Data().write(to: file)
    #expect(throws: JobFolderError.self) { try JobFolder.makeFolder(file) }
  }

  @Test func aFolderIsLookedAtAgainAndIsTheSame() throws {
    let folder = try make()
    let before = try FileManager.default.subpathsOfDirectory(atPath: folder.url.path).sorted()
    folder.refresh()
    #expect(
      try FileManager.default.subpathsOfDirectory(atPath: folder.url.path).sorted() == before)
    JobFolder(folder.url.appendingPathComponent("nowhere")).refresh()
  }

  /// The reason is the result, and names both sides.
  @Test func whatIsNotTheHeadsIsRefused() async throws {
    func reason(_ folder: JobFolder) async throws -> (String, isRefusal: Bool) {
      _ = try await work(folder)
      let outcome = try folder.takeResult(
        1, of: try folder.description(), to: try self.folder(UUID().uuidString))
      switch outcome.end {
      case .refused(let reason): return (reason, true)
      case .failed(let reason, false): return (reason, false)
      default: throw JobFolderError.damagedResult(file: "", reason: "\(outcome.end)")
      }
    }
    let other = String(repeating: "0", count: 64)
    let model = try await reason(make { $0.model.sha256 = other })
    #expect(model.0.contains(other) && model.0.contains(bundle.sha256) && model.1)
    let settings = try await reason(make { $0.installation = "OTHER" })
    #expect(settings.0.contains("fingerprint") && settings.1)
    let damaged = try make()
    // Not the spool's, whose content a link shares.
    let file = damaged.url.appendingPathComponent("input/000001.dcm")
    var data = try Data(contentsOf: file)
    data[data.count - 1] ^= 1
    try FileManager.default.removeItem(at: file)
    try data.write(to: file)
    let input = try await reason(damaged)
    #expect(input.0.contains("000001.dcm has SHA-256") && !input.1)
    let description = try make()
    var job = try description.description()
    job.program = "0.0.1"
    try JobFolder.write(job, to: description.job)
    let program = try await reason(description)
    #expect(program.0.contains("0.0.1") && program.0.contains(SegmentdVersion.results))
    #expect(program.1)
    let named = try make()
    job = try named.description()
    job.resultSeriesInstanceUID = "1.2.3"
    try JobFolder.write(job, to: named.job)
    let uid = try await reason(named)
    #expect(uid.0.contains("in place of 1.2.3") && uid.1)
    let build = try await reason(make { $0.build = "build-id:00" })
    #expect(build.0.contains("build-id:00") && build.1)
    let own = try ProgramBuild.own()
    #expect(build.0.contains(own) && build.0.contains("slurm.sameProgram"))
    let missing = try await reason(make { $0.model.name = "nowhere" })
    #expect(missing.0.contains("nowhere") && missing.1)
  }

  @Test(arguments: ["../1.dcm", "input/../../1.dcm", "/etc/passwd", "input/.x", "input/a/b", ""])
  func aFileOutsideOfTheFolderIsNotRead(path: String) async throws {
    let folder = try make()
    var job = try folder.description()
    job.series.files[0].path = path
    try JobFolder.write(job, to: folder.job)
    #expect(throws: JobFolderError.forbiddenPath(file: folder.job.path, path: path)) {
      try folder.description()
    }
  }

  @Test func aLinkIsNotRead() async throws {
    let folder = try make()
    let file = folder.url.appendingPathComponent("input/000001.dcm")
    try FileManager.default.removeItem(at: file)
    try FileManager.default.createSymbolicLink(
      at: file, withDestinationURL: series.files.files[0])
    #expect(throws: JobFolderError.forbiddenPath(file: folder.job.path, path: "input/000001.dcm")) {
      try folder.verifyInput(try folder.description())
    }
  }

  /// Neither what was not finished, nor what is not as it was proved, nor another submission's.
  @Test func onlyTheWholeResultOfTheSubmissionIsTaken() async throws {
    let folder = try make()
    let description = try folder.description()
    try FileManager.default.createDirectory(
      at: folder.url.appendingPathComponent("result.1.x.tmp"), withIntermediateDirectories: false)
    #expect(!folder.hasResult(1))
    #expect(try await work(folder) == .written(problem: nil))
    #expect(folder.hasResult(1) && !folder.hasResult(2))
    try FileManager.default.copyItem(at: folder.result(1), to: folder.result(2))
    #expect(throws: JobFolderError.self) {
      try folder.takeResult(2, of: description, to: try self.folder("second"))
    }
    let file = folder.result(1).appendingPathComponent("segmentation.dcm")
    var data = try Data(contentsOf: file)
    data[data.count / 2] ^= 1
    try data.write(to: file)
    #expect(
      throws: JobFolderError.damagedResult(file: file.path, reason: "it is not as it was proved")
    ) { try folder.takeResult(1, of: description, to: try self.folder("third")) }
  }

  @Test func tooLittleMemoryIsTold() async throws {
    let folder = try make()
    try folder.record(JobSubmission(memory: 1000, threads: 1, minutes: 1))
    _ = try await work(folder)
    let outcome = try folder.takeResult(
      1, of: try folder.description(), to: try self.folder("memory"))
    guard case .memory(let needed, _) = outcome.end else {
      Issue.record("\(outcome.end)")
      return
    }
    #expect(needed > 1000)
  }
}
