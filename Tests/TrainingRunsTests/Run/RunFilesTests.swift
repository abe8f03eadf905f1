import Foundation
import SeriesProcessing
import TestSupport
import Testing
import Training

@testable import TrainingRuns

@Suite struct RunFilesTests {
  private let folder: TemporaryFolder
  private var log: URL { folder.url.appendingPathComponent("log.csv") }

  init() throws { folder = try TemporaryFolder() }

  private func text() throws -> String { try String(contentsOf: log, encoding: .utf8) }

  @Test func onlyOneTrainingRunsInAFolder() throws {
    let path = folder.url.appendingPathComponent("run").path
    var first: RunFolder? = try RunFolder(path)
    #expect(throws: TrainingError.inUse(folder: path)) { try RunFolder(path) }
    #expect(throws: TrainingError.nothingToResume(folder: path)) {
      try first?.check(resume: true)
    }
    try first?.check(resume: false)
    first = nil
    _ = try RunFolder(path)
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o700)
  }

  @Test func aFolderThatCannotBeMadeIsNamed() throws {
    try Data("a file".utf8).write(to: log)
    let path = log.appendingPathComponent("run").path
    #expect {
      try RunFolder(path)
    } throws: { error in
      guard case .unwritable(path, _) = error as? TrainingError else { return false }
      return true
    }
  }

  @Test func aBundleThatIsThereIsNeverReplaced() async throws {
    let models = folder.url.appendingPathComponent("models")
    try BundleWriting.checkIsFree("balls", in: models)
    try await BundleWriting.publish("balls", in: models) {
      try Data("first".utf8).write(to: $0.appendingPathComponent("CARD.md"))
    }
    let bundle = models.appendingPathComponent("balls")
    let exists = TrainingError.bundleExists(path: bundle.path)
    #expect(throws: exists) { try BundleWriting.checkIsFree("balls", in: models) }
    await #expect(throws: exists) {
      try await BundleWriting.publish("balls", in: models) {
        try Data("second".utf8).write(to: $0.appendingPathComponent("CARD.md"))
      }
    }
    #expect(
      try Data(contentsOf: bundle.appendingPathComponent("CARD.md")) == Data("first".utf8))
    // What fails leaves nothing behind.
    await #expect(throws: CancellationError.self) {
      try await BundleWriting.publish("other", in: models) { (_: URL) -> Void in
        throw CancellationError()
      }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: models.path) == ["balls"])
  }

  @Test func rowsAfterTheCheckpointAndHalfRowsAreRemoved() throws {
    var rows: RowLog? = try RowLog(log, header: ["step", "loss"], after: 0)
    for step in 1...4 { #expect(rows?.add(["\(step)", "0.\(step)"]) == nil) }
    rows = nil
    let handle = try FileHandle(forWritingTo: log)
    try handle.seekToEnd()
    try handle.write(contentsOf: Data("5,0.".utf8))
    try handle.close()
    #expect(RowLog.rows(of: log).map(\.step) == [1, 2, 3, 4])
    let resumed = try RowLog(log, header: ["step", "loss"], after: 2)
    #expect(try text() == "step,loss\n1,0.1\n2,0.2\n")
    resumed.add(["3", "0.5"])
    #expect(try text() == "step,loss\n1,0.1\n2,0.2\n3,0.5\n")
  }

  @Test func aNewRunBeginsANewLog() throws {
    try Data("step,loss\n1,9\n".utf8).write(to: log)
    _ = try RowLog(log, header: ["step", "loss"], after: 0)
    #expect(try text() == "step,loss\n")
  }

  /// A network that does not fit is refused before cases are read, and cases take what it leaves at most.
  @Test func casesTakeWhatTheNetworkLeaves() throws {
    let plan = try PhantomTraining().plan()
    func room(_ bytes: Int, limit: Int? = nil, _ report: (TrainingEvent) -> Void) throws -> Int {
      let request = RunRequest(
        model: plan.document, draft: plan.draft, options: plan.options,
        augmentation: AugmentationOptions(), settings: plan.settings, threads: 1, caseBytes: bytes,
        training: [], heldOut: [])
      return try TrainingRun.roomForCases(
        request, budget: MemoryBudget(limit: limit), report: report)
    }
    #expect(throws: MemoryShortage.self) { try room(0, limit: 1) { _ in } }
    #expect(try room(0) { _ in Issue.record("nothing is less than was allowed") } == 0)
    let more = 1 << 50
    var notes: [String] = []
    let left = try room(more) { if case .note(let text) = $0 { notes.append(text) } }
    #expect(left < more && notes.count == 1)
    #expect(notes.first?.contains("at most \(left >> 20) MiB") == true)
    // Not all of it: with the cases in memory the network has to fit still.
    #expect(TrainingRun.share(ofCases: 1000) == 750)
    #expect(TrainingRun.share(ofCases: -1) == 0 && TrainingRun.share(ofCases: nil) == .max)
  }

  @Test func numbersAsText() {
    #expect(TrainingText.decimals(0.98765, 4) == "0.9877")
    #expect(TrainingText.decimals(-1.5, 0) == "-2")
    #expect(TrainingText.decimals(12.03, 3) == "12.030")
    #expect(TrainingText.decimals(.nan, 4) == "nan")
    #expect(TrainingText.duration(.seconds(59)) == "59 s")
    #expect(TrainingText.duration(.seconds(61)) == "1 min 1 s")
    #expect(TrainingText.duration(.seconds(7260)) == "2 h 1 min")
  }
}
