import Foundation
import GeometryGate
import JobLedger
import SeriesProcessing
import TestSupport
import Testing

@testable import Pipeline

/// A job whose model cannot be used is held at its first attempt, with the reason: the next one would end in the same way.
@Suite struct BadModelTests {
  /// What is wrong with the model's folder.
  enum Damage: CaseIterable {
    case removed, otherWeights, unknownKey

    var words: String {
      switch self {
      case .removed: "there is no model \"untrained-tiny\""
      case .otherWeights: "SHA-256"
      case .unknownKey: "oddity"
      }
    }

    func apply(to model: URL) throws {
      switch self {
      case .removed: try FileManager.default.removeItem(at: model)
      case .otherWeights:
        let file = model.appendingPathComponent("weights.safetensors")
        var weights = try Data(contentsOf: file)
        weights[weights.count - 1] ^= 1
        try weights.write(to: file)
      case .unknownKey:
        let file = model.appendingPathComponent("model.yaml")
        let text = try String(contentsOf: file, encoding: .utf8)
        try (text + "\noddity: 1\n").write(to: file, atomically: true, encoding: .utf8)
      }
    }
  }

  @Test(arguments: Damage.allCases) func itsJobIsHeldAtOnce(damage: Damage) async throws {
    let job = try await SmallJob()
    let models = job.folder.url.appendingPathComponent("models")
    let model = models.appendingPathComponent("untrained-tiny")
    try FileManager.default.createDirectory(at: models, withIntermediateDirectories: false)
    try FileManager.default.copyItem(
      at: TestFiles.fixtures.appendingPathComponent("models/untrained-tiny"), to: model)
    try damage.apply(to: model)
    let runner = job.runner(
      LocalExecutor(
        models: ModelLibrary(directories: [models], threads: 1),
        processor: SeriesProcessor(
          geometry: GeometryRules(), installation: "TEST", memory: MemoryBudget(limit: nil))))
    #expect(try await runner.runNext(id: job.id) { _ in })
    let held = try job.ledger.job(job.id).job
    #expect(held.state == "held" && held.attempts == 1, "\(held)")
    #expect(held.reason?.contains(damage.words) == true, "\(held.reason ?? "")")
    #expect(try await runner.runNext { _ in } == false)
  }
}
