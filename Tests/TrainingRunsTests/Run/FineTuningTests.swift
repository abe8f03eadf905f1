import Cryptography
import Evaluation
import FileSystem
import Foundation
import NIfTI
import Segmentation
import Tensors
import TestSupport
import Testing
import Training
import Volumes

@testable import TrainingRuns

@Suite struct FineTuningTests {
  private let folder: TemporaryFolder
  private let parent: ModelBundle

  init() throws {
    folder = try TemporaryFolder()
    parent = try Self.untrained(in: folder.url.appendingPathComponent("parent"))
  }

  /// A bundle with random weights.
  private static func untrained(in folder: URL) throws -> ModelBundle {
    try BundleWriting.makeFolder(folder)
    let file = folder.appendingPathComponent("sections.yaml")
    try BallPhantom.modelYAML.write(to: file, atomically: true, encoding: .utf8)
    var document = try ModelDocument(file: file.path)
    try document.completeInference()
    document = try document.withOpenLimits()
    let network = try TrainableNetwork(
      description: document.bundle(in: folder).network, batch: 1, deepSupervision: false, seed: 4,
      compute: #require(Compute(threads: 1)))
    try BundleWriting.write(
      network.stateDictionary(secondNames: false), precision: .half, metadata: [:],
      to: folder.appendingPathComponent(BundleWriting.weightsName))
    try BundleWriting.describe(document, heading: [], card: nil, in: folder)
    return try ModelBundle.load(at: folder)
  }

  /// A folder of cases.
  private func cases(_ seeds: Range<UInt64>, _ name: String) throws -> DataSource {
    let url = folder.url.appendingPathComponent(name)
    for part in ["images", "labels"] {
      try BundleWriting.makeFolder(url.appendingPathComponent(part))
    }
    for seed in seeds {
      let (image, labels) = BallPhantom(seed: seed).volumes
      let gray = image.voxels.map { UInt8(min(max($0 / 2, 1), 255)) }
      try NIfTIFile.write(
        LabelVolume(grid: image.grid, labels: gray),
        to: url.appendingPathComponent("images/\(seed).nii").path)
      try NIfTIFile.write(labels, to: url.appendingPathComponent("labels/\(seed).nii").path)
    }
    return DataSource(folder: url.path)
  }

  private func tuning(_ corrections: DataSource) -> FineTuning {
    var tuning = FineTuning(
      parent: parent, corrections: corrections,
      output: folder.url.appendingPathComponent("run").path)
    tuning.options.steps = 2
    tuning.threads = 1
    return tuning
  }

  @Test func aRunStoppedBeforeItsFirstStepResumes() async throws {
    let tuning = tuning(try cases(0..<3, "new"))
    let stop = StopRequest()
    stop.request()
    #expect(try await tuning.run(resume: false, stop: stop) { _ in }.state == .stopped)
    await #expect(throws: TrainingError.started(folder: tuning.output)) {
      try await tuning.run(resume: false, stop: StopRequest()) { _ in }
    }
    let before = try Data(contentsOf: parent.weights)
    let report = try await tuning.run(resume: true, stop: StopRequest()) { _ in }
    #expect(report.state == .finished)
    #expect(report.version == "1.1.0")
    #expect(report.meanDiceBefore != nil)
    let bundle = try ModelBundle.load(at: URL(fileURLWithPath: try #require(report.bundle)))
    #expect(bundle.directory.lastPathComponent == "balls-1.1.0")
    #expect(bundle.input == parent.input)
    #expect(bundle.trainingData.contains("2 corrected cases"))
    #expect(try Data(contentsOf: parent.weights) == before)
    // A finished run says where its bundle is, and makes no second one, even where more steps are asked for.
    var longer = tuning
    longer.options.steps = 3
    for again in [tuning, longer] {
      await #expect {
        try await again.run(resume: true, stop: StopRequest()) { _ in }
      } throws: { error in
        guard case .finished(let folder, 2, let path, let further) = error as? TrainingError else {
          return false
        }
        return folder == again.output && path == report.bundle
          && further.contains("fine-tune --model \(path)") && "\(error)".contains("at step 2")
      }
    }
    let models = URL(fileURLWithPath: tuning.output).appendingPathComponent("models")
    #expect(try FileManager.default.contentsOfDirectory(atPath: models.path) == ["balls-1.1.0"])
    #expect(try ModelBundle.load(at: bundle.directory) == bundle)
  }

  @Test func olderCasesAreMixedInAndHeldOutToo() async throws {
    var tuning = tuning(try cases(0..<2, "new"))
    tuning.older = try cases(10..<14, "old")
    let log = EventLog()
    let report = try await tuning.run(resume: false, stop: StopRequest()) { log.add($0) }
    #expect(report.state == .finished)
    let numbers = log.events.compactMap { event -> [Int]? in
      guard case .prepared(let training, let heldOut, _, _) = event else { return nil }
      return [training, heldOut]
    }
    #expect(numbers == [[4, 2]])
  }

  @Test func theCasesThatShallBeHeldOutAre() async throws {
    var tuning = tuning(try cases(0..<3, "new"))
    tuning.heldOut = ["1", "7"]
    await #expect(throws: TrainingError.unknownHeldOut(names: ["7"])) {
      try await tuning.run(resume: false, stop: StopRequest()) { _ in }
    }
    tuning.heldOut = []
    await #expect(throws: TrainingError.noHeldOutCases) {
      try await tuning.run(resume: false, stop: StopRequest()) { _ in }
    }
  }

  @Test func heldOutCasesAreCheckedBeforeAnythingIsTrained() async throws {
    var tuning = tuning(try cases(0..<3, "new"))
    tuning.heldOut = ["1"]
    // Values that the model does not have, in a held-out case and in one to train with.
    for seed in UInt64(1)...2 {
      let (_, labels) = BallPhantom(seed: seed).volumes
      let path = folder.url.appendingPathComponent("new/labels/\(seed).nii").path
      try FileManager.default.removeItem(atPath: path)
      try NIfTIFile.write(
        LabelVolume(grid: labels.grid, labels: labels.labels.map { $0 == 2 ? 9 : $0 }), to: path)
    }
    let log = EventLog()
    await #expect {
      try await tuning.run(resume: false, stop: StopRequest()) { log.add($0) }
    } throws: { error in
      let errors = (error as? TrainingDataErrors)?.errors ?? []
      return errors.map { "\($0)".contains("the value 9") } == [true, true]
        && zip(errors, ["2.nii", "1.nii"]).allSatisfy { "\($0)".contains("new/labels/\($1)") }
    }
    #expect(log.losses.isEmpty && log.dice.isEmpty)
  }

  @Test func oneCorrectionIsNotEnough() async throws {
    let tuning = tuning(try cases(0..<1, "new"))
    await #expect(throws: TrainingError.tooFewCorrections(count: 1)) {
      try await tuning.run(resume: false, stop: StopRequest()) { _ in }
    }
  }

  @Test func aCorrectionTakesThePlaceOfAnOlderCase() throws {
    let sources = [try cases(0..<3, "old"), try cases(2..<4, "new")]
    let found = try RunCases(sources, laterWins: true)
    #expect(found.names == ["0", "1", "2", "3"])
    #expect(found.source == ["0": 0, "1": 0, "2": 1, "3": 1])
    #expect(found.files["2"]?.labels.path.contains("/new/") == true)
    #expect(throws: TrainingError.self) { try RunCases(sources) }
    // Other cases are other data.
    #expect(try found.digest(["0", "1"]) != found.digest(["0"]))
    #expect(try found.digest(["0", "1"]) == found.digest(["0", "1"]))
  }

  @Test func otherContentsAreOtherDataWhereverTheyAre() throws {
    let found = try RunCases([try cases(0..<2, "one")])
    let digest = try found.digest(["0", "1"])
    #expect(try RunCases([try cases(0..<2, "two")]).digest(["0", "1"]) == digest)
    // Another label, and not a byte more.
    let labels = try #require(found.files["1"]?.labels)
    var data = try Data(contentsOf: labels)
    data[data.count - 1] ^= 1
    try data.write(to: labels)
    #expect(try found.digest(["0", "1"]) != digest)
    // A file that cannot be read is not an empty one.
    try Data().write(to: labels)
    _ = try found.digest(["0", "1"])
    try FileManager.default.removeItem(at: labels)
    #expect(
      throws: TrainingError.unreadable(
        path: labels.resolvingSymlinksInPath().path, reason: "No such file or directory")
    ) { try found.digest(["0", "1"]) }
    let error = TrainingError.differentSetting(key: "data.training", started: "a", now: "b")
    #expect("\(error)".contains("the training cases, their images or labels"))
  }

  /// The digest of a folder is that of its files and their names, and names a file that leads nowhere.
  @Test func theFilesOfAFolderCountWithTheirNames() throws {
    let series = folder.url.appendingPathComponent("series")
    let inner = series.appendingPathComponent("inner")
    try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
    let labels = folder.url.appendingPathComponent("labels.nii")
    for (file, text) in [
      (series.appendingPathComponent("a"), "1"), (inner.appendingPathComponent("b"), "2"),
      (labels, "3"),
    ] { try Data(text.utf8).write(to: file) }
    let item = CaseFiles(name: "0", images: [series], labels: labels)
    func hash(_ text: String) -> String { hexadecimal(SHA256.hash(data: Data(text.utf8))) }
    let content = hash("a\t\(hash("1"))\ninner/b\t\(hash("2"))\n")
    let cases = RunCases(files: ["0": item], source: [:])
    #expect(try cases.digest(["0"]) == hash("0\t\(content)\t\(hash("3"))\n"))
    let dangling = series.appendingPathComponent("c")
    try FileManager.default.createSymbolicLink(
      at: dangling, withDestinationURL: folder.url.appendingPathComponent("none"))
    #expect(throws: TrainingError.self) { try cases.digest(["0"]) }
  }

  @Test func aPatientIsOnOneSide() throws {
    var tuning = tuning(DataSource(folder: folder.url.path))
    func cases(_ names: [String: Int]) -> RunCases {
      RunCases(
        files: Dictionary(
          uniqueKeysWithValues: names.keys.map {
            ($0, CaseFiles(name: $0, images: [], labels: folder.url))
          }), source: names)
    }
    tuning.older = DataSource(folder: folder.url.path)
    tuning.byPatient = true
    // Ten patients of two phases each; six have one corrected phase, and the older other one.
    var names: [String: Int] = [:]
    for patient in 0..<10 {
      names["p\(patient)_ed"] = 0
      names["p\(patient)_es"] = patient < 6 ? 1 : 0
    }
    let split = try tuning.split(cases(names))
    #expect((split.training + split.heldOut).sorted() == names.keys.sorted())
    let sides = [split.training, split.heldOut].map { Set($0.map { $0.prefix(2) }) }
    #expect(sides[0].isDisjoint(with: sides[1]))
    #expect(split.heldOut.count { names[$0] == 1 } == 2)
    #expect(sides[1].count == 3)
    #expect(throws: TrainingError.tooFewPatients(count: 1)) {
      try tuning.split(cases(["p1_ed": 1, "p1_es": 1]))
    }
    tuning.heldOut = ["p1", "p2_es"]
    #expect(try tuning.split(cases(names)).heldOut == ["p1_ed", "p1_es", "p2_es"])
  }

  @Test(arguments: [
    ("1.0.0", "1.1.0"), ("1.9.3", "1.10.0"), ("2", "2.1.0"), ("1.0.0+0a1b2c3d", "1.1.0"),
    ("0.3-rc1", "0.4.0"), ("draft", "0.1.0"),
  ])
  func theNextMinorVersion(of version: String, is next: String) {
    #expect(ModelVersion(version).next == next)
  }
}
