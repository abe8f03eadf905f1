import Evaluation
import Foundation
import Segmentation
import TestSupport

@testable import TrainingRuns

/// A training on balls, in memory: what `train.yaml` and files would give.
struct PhantomTraining {
  let folder: TemporaryFolder
  var steps = 60
  var options = TrainingOptions(steps: 60)
  /// Spoils the images of this step.
  var notANumberAt: Int?

  init() throws {
    folder = try TemporaryFolder()
    options.schedule.warmupSteps = 5
    options.optimiser.rate = 3e-3
    options.average = 0.9
    options.validation.everySteps = 20
    options.validation.cases = 0
    options.checkpointSeconds = 0
    options.weights.precision = .single
  }

  var output: String { folder.url.appendingPathComponent("run").path }

  func plan(threads: Int = 1) throws -> RunPlan {
    let file = folder.url.appendingPathComponent("model.yaml")
    try BallPhantom.modelYAML.write(to: file, atomically: true, encoding: .utf8)
    var document = try ModelDocument(file: file.path)
    try document.completeInference()
    document = try document.withOpenLimits()
    let draft = try document.bundle(in: folder.url)
    let held = (900..<904).map {
      CaseFiles(name: "\($0)", images: [], labels: folder.url)
    }
    return RunPlan(
      document: document, draft: draft, options: options,
      settings: try RunSettings(options), threads: threads,
      patches: BallPatches(seed: options.seed, notANumberAt: notANumberAt), trainingCount: 40,
      validation: Validation(cases: held, threads: threads) { files in
        let (image, labels) = BallPhantom(seed: UInt64(files.name) ?? 0).volumes
        return TrainingCase(name: files.name, channels: [image], labels: labels)
      })
  }
}

/// Patches of balls, a function of the step alone.
struct BallPatches: BatchSource {
  let seed: UInt64
  var notANumberAt: Int?

  func batch(step: Int) throws -> PatchBatch {
    var batch = PatchBatch(images: [], labels: [], cases: [])
    for sample in 0..<2 {
      let number = seed &* 1000 &+ UInt64((2 * step + sample) % 40)
      let (image, known) = BallPhantom(seed: number).volumes
      let shape = BallPhantom.shape
      // The patch begins at another place in each step.
      let (z0, y0, x0) = (step % 3, (step / 3 + 2 * sample) % 5, (step / 2 + sample) % 5)
      for z in z0..<z0 + 8 {
        for y in y0..<y0 + 16 {
          let row = (z * shape[1] + y) * shape[2]
          for x in x0..<x0 + 16 {
            batch.images.append((image.storage[row + x] - 130) / 50)
            batch.labels.append(known.labels[row + x])
          }
        }
      }
      batch.cases.append("\(number)")
    }
    if step == notANumberAt { batch.images[77] = .nan }
    return batch
  }
}

/// What a run tells, in order.
final class EventLog: @unchecked Sendable {
  // Safe: the training calls from one task, the test reads after it.
  private(set) var events: [TrainingEvent] = []
  var onStep: ((Int) -> Void)?

  func add(_ event: TrainingEvent) {
    events.append(event)
    if case .step(let progress) = event { onStep?(progress.step) }
  }

  var losses: [Double] {
    events.compactMap { if case .step(let progress) = $0 { progress.loss } else { nil } }
  }
  var dice: [Double] {
    events.compactMap { if case .validated(_, _, _, let mean) = $0 { mean } else { nil } }
  }
  var problems: [String] {
    events.compactMap { if case .problem(let text) = $0 { text } else { nil } }
  }
}
