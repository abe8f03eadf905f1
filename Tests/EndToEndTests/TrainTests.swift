import Foundation
import NIfTI
import TestSupport
import Testing
import Volumes

/// `segmentd train` and `segmentd fine-tune` as a hospital meets them: files in, a bundle out.
@Suite(.serialized, .limitedConcurrency) struct TrainTests {
  private struct Report: Decodable {
    struct Label: Decodable { var name: String, dice: Double, diceBefore: Double? }
    var state: String
    var step: Int
    var bundle: String?
    var version: String?
    var weightsSHA256: String?
    var meanDice: Double?
    var labels: [Label]
  }

  private let folder: TemporaryFolder
  private var data: URL { folder.url.appendingPathComponent("data") }
  private var run: URL { folder.url.appendingPathComponent("run") }
  private var configuration: URL { folder.url.appendingPathComponent("train.yaml") }

  init() throws { folder = try TemporaryFolder() }

  /// Volumes of balls with their labels.
  private func write(_ seeds: Range<UInt64>, to url: URL) throws {
    for part in ["images", "labels"] {
      try FileManager.default.createDirectory(
        at: url.appendingPathComponent(part), withIntermediateDirectories: true)
    }
    for seed in seeds {
      let (image, labels) = BallPhantom(seed: seed).volumes
      // Whole numbers up to 255, which labels are too.
      let gray = LabelVolume(
        grid: image.grid,
        labels: image.voxels.map { UInt8(min(max($0 / 2, 1), 255)) })
      try NIfTIFile.write(gray, to: file("images", seed, in: url))
      try NIfTIFile.write(labels, to: file("labels", seed, in: url))
    }
  }

  private func file(_ part: String, _ seed: UInt64, in url: URL) -> String {
    url.appendingPathComponent("\(part)/ball\(seed)_0.nii").path
  }

  private func configure(
    steps: Int, _ more: String = "", without section: String? = nil, output: String = "run"
  ) throws {
    var model = BallPhantom.modelYAML.split(separator: "\n", omittingEmptySubsequences: false)
      .map { "  \($0)" }
    if let section, let start = model.firstIndex(where: { $0.hasPrefix("  \(section):") }) {
      let end =
        model[(start + 1)...].firstIndex { !$0.hasPrefix("    ") } ?? model.endIndex
      model.removeSubrange(start..<end)
    }
    let text = """
      output: \(output)
      data: [data]
      split: {folds: 5, seed: 3}
      steps: \(steps)
      threads: 2
      optimiser: {rate: 3.0e-3}
      schedule: {warmupSteps: 5}
      average: 0.9
      augmentation: {base: none, foreground: 0.5, mirror: [0, 0.5, 0.5]}
      validation: {everySteps: 20, cases: 2}
      checkpointSeconds: 0
      \(more)
      model:
      \(model.joined(separator: "\n"))
      """
    try text.write(to: configuration, atomically: true, encoding: .utf8)
  }

  private func train(_ more: String...) async throws -> ProcessResult {
    try await runProcess(segmentdBinary, ["train", "--config", configuration.path] + more)
  }

  /// The JSON among the lines of progress.
  private func report(_ result: ProcessResult) throws -> Report {
    try #require(result.status == 0, "\(result.output)")
    let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
    let start = try #require(lines.firstIndex(of: "{"), "\(result.output)")
    return try JSONDecoder().decode(
      Report.self, from: Data(lines[start...].joined(separator: "\n").utf8))
  }

  private func text(_ url: URL, _ name: String) throws -> String {
    try String(contentsOf: url.appendingPathComponent(name), encoding: .utf8)
  }

  @Test func imagesAndLabelsBecomeAModelThatRunUses() async throws {
    try write(0..<10, to: data)
    try configure(steps: 60)
    let first = try report(try await train("--json"))
    #expect(first.state == "finished")
    #expect(first.labels.map(\.name) == ["Ball", "Small ball"])
    // Sixty steps find the large ball on every processor; instruction sets round differently, so
    // that the small ball's Dice, which has only begun to rise, says nothing.
    let ball = try #require(first.labels.first { $0.name == "Ball" })
    #expect(ball.dice > 0.5, "\(first)")
    #expect(try #require(first.meanDice) > 0.3, "\(first)")
    let bundle = URL(fileURLWithPath: try #require(first.bundle))
    #expect(bundle.lastPathComponent == "balls")
    let verified = try await segmentd("models", "verify", bundle.path)
    #expect(verified.status == 0, "\(verified.output)")
    #expect(verified.output.contains(try #require(first.weightsSHA256)))
    let card = try text(bundle, "CARD.md")
    #expect(card.contains("| Small ball |") && card.contains("| steps | 60 of 60 |"))
    #expect(card.contains("| seed | 1 |"))
    // Names of cases may be those of patients.
    #expect(!card.contains("ball1_0"))
    let model = try text(bundle, "model.yaml")
    for key in ["extent", "neighbourCorrelation", "millilitres"] { #expect(model.contains(key)) }
    #expect(try text(run, "log.csv").split(separator: "\n").count == 61)
    #expect(try text(run, "validation.csv").split(separator: "\n").count == 4)
    try await checkRun(with: bundle)
    try await checkFinishedRun()
    try await checkFineTuning(of: bundle, first)
    try await checkInitialModel(bundle)
  }

  /// An image that was not trained with is segmented, another kind of image is refused.
  private func checkRun(with bundle: URL) async throws {
    let other = folder.url.appendingPathComponent("other")
    try write(70..<71, to: other)
    let output = folder.url.appendingPathComponent("out")
    let models = bundle.deletingLastPathComponent().path
    let result = try await segmentd(
      "run", "--models", models, "--model", "balls", "--output", output.path,
      file("images", 70, in: other))
    #expect(result.status == 0, "\(result.output)")
    let labels = try NIfTIFile(
      path: output.appendingPathComponent("ball70_0/labels.nii.gz").path
    ).labels()
    #expect(Set(labels.labels).isSuperset(of: [0, 1]))
    // A mask is no such image.
    let refused = try await segmentd(
      "run", "--models", models, "--model", "balls", "--output", output.path,
      file("labels", 70, in: other))
    #expect(refused.status == 2 && refused.output.contains("held"), "\(refused.output)")
  }

  private func checkFinishedRun() async throws {
    let again = try await train()
    #expect(again.status != 0 && again.output.contains("--resume"), "\(again.output)")
    let resumed = try await train("--resume")
    #expect(
      resumed.status != 0 && resumed.output.contains("the training is finished, at step")
        && resumed.output.contains("models/balls; to train it further, start another one"),
      "\(resumed.output)")
  }

  private func checkFineTuning(of bundle: URL, _ first: Report) async throws {
    let corrections = folder.url.appendingPathComponent("corrections")
    try write(100..<104, to: corrections)
    let output = folder.url.appendingPathComponent("tuning")
    let weights = bundle.appendingPathComponent("weights.safetensors")
    let before = try Data(contentsOf: weights)
    let tuned = try report(
      try await segmentd(
        "fine-tune", "--model", bundle.path, "--corrections", corrections.path, "--data", data.path,
        "--output", output.path, "--steps", "10", "--threads", "2", "--json"))
    #expect(tuned.version == "1.1.0")
    #expect(tuned.labels.allSatisfy { $0.diceBefore != nil })
    let new = URL(fileURLWithPath: try #require(tuned.bundle))
    #expect(new.lastPathComponent == "balls-1.1.0")
    let verified = try await segmentd("models", "verify", new.path)
    #expect(verified.status == 0, "\(verified.output)")
    #expect(tuned.weightsSHA256 != first.weightsSHA256)
    #expect(try Data(contentsOf: weights) == before)
    let card = try text(new, "CARD.md")
    #expect(card.contains(try #require(first.weightsSHA256)))
    #expect(card.contains("The same cases before"))
    // The limits are the parent's.
    let limits = try text(bundle, "model.yaml").split(separator: "\n")
      .filter { $0.contains("statistic") }
    #expect(
      try text(new, "model.yaml").split(separator: "\n").filter { $0.contains("statistic") }
        == limits)
  }

  private enum Labels: CaseIterable { case nifti, seg }

  /// The bundled synthetic subjects: DICOM images, labels in NIfTI or in SEG as `run` writes it.
  @Test(arguments: Labels.allCases)
  private func aShippedModelIsTrainedFurtherOnDICOM(labels: Labels) async throws {
    let output = folder.url.appendingPathComponent("tuning")
    let corrections = folder.url.appendingPathComponent("corrections")
    try FileManager.default.createDirectory(at: corrections, withIntermediateDirectories: true)
    for name in ["synthetic-1", "synthetic-2"] {
      let series = TestFiles.fixtures.appendingPathComponent("series/\(name)")
      try FileManager.default.copyItem(at: series, to: corrections.appendingPathComponent(name))
      switch labels {
      case .nifti:
        try FileManager.default.copyItem(
          at: series.appendingPathExtension("labels.nii.gz"),
          to: corrections.appendingPathComponent("\(name).labels.nii.gz"))
      case .seg:
        try FileManager.default.copyItem(
          at: try await segmentation(of: series),
          to: corrections.appendingPathComponent("\(name).labels.dcm"))
      }
    }
    let tuned = try report(
      try await segmentd(
        "fine-tune", "--model", "hippocampus", "--corrections", corrections.path, "--output",
        output.path, "--held-out", "synthetic-2", "--steps", "1", "--batch", "1", "--json",
        within: 1200))
    let before = tuned.labels.compactMap(\.diceBefore)
    // The model agrees with its own segmentation, whatever the voxels of both.
    #expect(before.count == 2 && before.allSatisfy { $0 > (labels == .seg ? 0.99 : 0.6) })
    // One step at a low rate neither breaks the model nor leaves it as it was.
    #expect(zip(tuned.labels, before).allSatisfy { abs($0.dice - $1) < 0.1 })
    let bundle = try #require(tuned.bundle)
    #expect(bundle.hasSuffix("/models/hippocampus-1.1.0"))
    #expect(try await segmentd("models", "verify", bundle).status == 0)
    let shipped = try await segmentd("models", "verify", "hippocampus")
    let hash = try #require(shipped.output.split(separator: " ").last)
    #expect(
      try text(URL(fileURLWithPath: bundle), "CARD.md")
        .contains(hash.trimmingCharacters(in: .whitespacesAndNewlines)))
  }

  /// The segmentation object that `run` makes of a series.
  private func segmentation(of series: URL) async throws -> URL {
    let output = folder.url.appendingPathComponent("\(series.lastPathComponent)-result")
    let result = try await segmentd(
      "run", "--model", "hippocampus", "--output", output.path, series.path)
    try #require(result.status == 0, "\(result.output)")
    return try #require(
      FileManager.default.contentsOfDirectory(at: output, includingPropertiesForKeys: nil).first
    ).appendingPathComponent("segmentation.dcm")
  }

  /// A training that begins with another model's weights is better at its first step than that one
  /// was.
  private func checkInitialModel(_ bundle: URL) async throws {
    let losses = { (run: URL) in
      try self.text(run, "log.csv").split(separator: "\n").dropFirst().map {
        Double($0.split(separator: ",")[2]) ?? .nan
      }
    }
    let random = try losses(run)
    try configure(steps: 2, "initialModel: run/models/balls", output: "second")
    let second = folder.url.appendingPathComponent("second")
    let report = try report(try await train("--json"))
    #expect(try losses(second)[0] < random[0])
    let card = try text(URL(fileURLWithPath: try #require(report.bundle)), "CARD.md")
    let hash = try #require(
      try await segmentd("models", "verify", bundle.path).output.split(separator: " ").last)
    #expect(card.contains(hash.trimmingCharacters(in: .whitespacesAndNewlines)))
    // Its weights cannot be those of another network.
    let other = TestFiles.package.appendingPathComponent("Sources/Segmentation/Models/hippocampus")
    try configure(steps: 2, "initialModel: \(other.path)", output: "third")
    let refused = try await train()
    #expect(refused.status != 0 && refused.output.contains(other.path), "\(refused.output)")
  }

  @Test func aKilledTrainingEndsWithTheSameWeights() async throws {
    try write(0..<6, to: data)
    try configure(steps: 30)
    let whole = try report(try await train("--json"))
    try FileManager.default.removeItem(at: run)
    var arguments = ["train", "--config", configuration.path]
    var kills = 0
    for rows in [3, 9, 16] where !isFinished {
      let child = try ChildProcess(
        segmentdBinary, arguments, log: folder.url.appendingPathComponent("log\(rows)"))
      try await waitUntil("row \(rows) of log.csv", within: 900) {
        !child.isRunning || ((try? text(run, "log.csv")) ?? "").split(separator: "\n").count > rows
      }
      kills += child.isRunning ? 1 : 0
      try await child.end(SIGKILL)
      arguments = ["train", "--config", configuration.path, "--resume", "--threads", "1"]
    }
    #expect(kills > 0)
    // What a kill while the bundle is written leaves.
    try FileManager.default.createDirectory(
      at: run.appendingPathComponent("models/.balls.new/half"), withIntermediateDirectories: true)
    if !isFinished { _ = try report(try await train("--resume", "--json")) }
    let bundle = run.appendingPathComponent("models/balls")
    #expect(try text(bundle, "model.yaml").contains(try #require(whole.weightsSHA256)))
    #expect(try await segmentd("models", "verify", bundle.path).status == 0)
  }

  private var isFinished: Bool {
    FileManager.default.fileExists(atPath: run.appendingPathComponent("models/balls").path)
  }

  @Test(arguments: [SIGTERM, SIGINT]) func aSignalEndsItAfterTheStepInHand(signal: Int32)
    async throws
  {
    try write(0..<6, to: data)
    try configure(steps: 5000)
    let child = try ChildProcess(
      segmentdBinary, ["train", "--config", configuration.path],
      log: folder.url.appendingPathComponent("log"))
    try await waitUntil("rows of log.csv", within: 900) {
      !child.isRunning
        || ((try? text(run, "log.csv")) ?? "").split(separator: "\n").count > 3
    }
    // Only one training is in a folder.
    let second = try await train("--resume")
    #expect(second.status != 0 && second.output.contains("runs there already"))
    #expect(try await child.end(signal, within: 900) == 0, "\(child.output)")
    #expect(child.output.contains("continue with --resume"), "\(child.output)")
    try configure(steps: 5001)
    let changed = try await train("--resume")
    #expect(
      changed.status != 0 && changed.output.contains("steps is 5001")
        && changed.output.contains("started with 5000"), "\(changed.output)")
  }

  @Test func networkAndPreprocessingAreDerivedFromTheData() async throws {
    try write(0..<5, to: data)
    try configure(steps: 1, "weights: {precision: single}", without: "preprocessing")
    let derived = try report(try await train("--json"))
    let model = try text(URL(fileURLWithPath: try #require(derived.bundle)), "model.yaml")
    #expect(model.contains("zscore"))
    // Of the phantoms' arrays, so that DICOM in another order of axes is turned to it.
    #expect(model.contains("orientation: [S, P, L]"), "\(model)")
    let card = try text(URL(fileURLWithPath: try #require(derived.bundle)), "CARD.md")
    #expect(card.contains("preprocessing derived from them"), "\(card)")
    // Faults are named at one go, those of held-out cases too.
    for seed in UInt64(0)..<5 {
      let (_, labels) = BallPhantom(seed: seed).volumes
      try NIfTIFile.write(
        LabelVolume(grid: labels.grid, labels: labels.labels.map { $0 == 2 ? 9 : $0 }),
        to: file("labels", seed, in: data))
    }
    try configure(steps: 1, without: "preprocessing", output: "other")
    let faulty = try await train()
    #expect(faulty.status != 0)
    for seed in UInt64(0)..<5 {
      #expect(faulty.output.contains(file("labels", seed, in: data)), "\(faulty.output)")
    }
  }

  @Test func badDataAreNamedBeforeAnythingIsTrained() async throws {
    try write(0..<6, to: data)
    try configure(steps: 5)
    let known = file("labels", 2, in: data)
    let good = try Data(contentsOf: URL(fileURLWithPath: known))
    let (_, labels) = BallPhantom(seed: 2).volumes
    func expect(_ parts: String..., sourceLocation: SourceLocation = #_sourceLocation)
      async throws
    {
      let result = try await train()
      #expect(result.status != 0, sourceLocation: sourceLocation)
      for part in parts {
        #expect(result.output.contains(part), "\(result.output)", sourceLocation: sourceLocation)
      }
    }
    // Labels on other voxels.
    var grid = labels.grid
    grid.affine.origin.z += 40
    try NIfTIFile.write(LabelVolume(grid: grid, labels: labels.labels), to: known)
    try await expect(known, "the labels have")
    // A value that the model does not have.
    try NIfTIFile.write(
      LabelVolume(grid: labels.grid, labels: labels.labels.map { $0 == 2 ? 9 : $0 }), to: known)
    try await expect(known, "the value 9")
    // Slices without a distance.
    var header = good
    header.replaceSubrange(312..<328, with: Data(count: 16))
    try header.write(to: URL(fileURLWithPath: known))
    try await expect(known, "a voxel's size must be positive")
    try FileManager.default.removeItem(atPath: known)
    try await expect("without labels: ball2_0")
    // No case shows label 2.
    for seed in UInt64(0)..<6 {
      let (_, labels) = BallPhantom(seed: seed).volumes
      try NIfTIFile.write(
        LabelVolume(grid: labels.grid, labels: labels.labels.map { $0 == 2 ? 0 : $0 }),
        to: file("labels", seed, in: data))
    }
    try await expect("label 2", "Small ball")
    #expect(!FileManager.default.fileExists(atPath: run.appendingPathComponent("models").path))
  }
}
