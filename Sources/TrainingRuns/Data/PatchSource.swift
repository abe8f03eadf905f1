import Foundation
import Synchronization
import Training

/// Draws the patches of every step from prepared cases.
///
/// The cases of a step are drawn without replacement, by their weights. A stated share of all samples,
/// spread evenly over them, must show labelled voxels, as in nnU-Net. Every sample is a function of the
/// seed, the step and its number within it, so that the number of threads changes nothing and a
/// resumed training continues as if it had not stopped.
final class PatchSource: BatchSource, Sendable {
  let cases: PreparedCases
  let drawing: PatchDrawing
  let batch: Int
  private let channels: Int
  private let seed: UInt64
  private let threads: Int
  private let weights: [Double]
  private let prefetches: Bool
  private let pending = Mutex<PendingBatch?>(nil)

  /// - Parameters:
  ///   - cases: at least one.
  ///   - drawing: how patches are drawn and changed.
  ///   - channels: of the network's input.
  ///   - batch: samples of a step.
  ///   - seed: of the training.
  ///   - threads: samples that are drawn at the same time.
  ///   - weights: how often each case is drawn in relation to the others, above 0; nil for equally
  ///     often.
  ///   - prefetches: whether the next step's patches are drawn in the background while a step is
  ///     computed: of use where there are processors that the step leaves idle.
  init(
    _ cases: PreparedCases, drawing: PatchDrawing, channels: Int, batch: Int, seed: UInt64,
    threads: Int, weights: [Double]? = nil, prefetches: Bool = false
  ) {
    self.cases = cases
    self.drawing = drawing
    self.channels = channels
    self.batch = batch
    self.seed = seed
    self.threads = threads
    self.weights = weights ?? [Double](repeating: 1, count: cases.count)
    self.prefetches = prefetches
  }

  func batch(step: Int) throws -> PatchBatch {
    let waiting = pending.withLock { pending -> PendingBatch? in
      defer { pending = nil }
      return pending?.step == step ? pending : nil
    }
    let result = try waiting?.wait() ?? draw(step: step)
    if prefetches {
      let next = PendingBatch(step: step + 1)
      pending.withLock { $0 = next }
      DispatchQueue.global(qos: .utility).async { [self] in
        next.finish(Result { try draw(step: step + 1, threads: 1) })
      }
    }
    return result
  }

  private func draw(step: Int) throws -> PatchBatch { try draw(step: step, threads: threads) }

  private func draw(step: Int, threads: Int) throws -> PatchBatch {
    let voxels = drawing.patch.reduce(1, *)
    let chosen = caseNumbers(step: step)
    let samples = Mutex<[Int: Sample]>([:])
    let failure = Mutex<(any Error)?>(nil)
    let workers = max(1, min(threads, batch))
    DispatchQueue.concurrentPerform(iterations: workers) { worker in
      for index in stride(from: worker, to: batch, by: workers) {
        do {
          let sample = try sample(index, step: step, from: chosen[index])
          samples.withLock { $0[index] = sample }
        } catch {
          failure.withLock { $0 = error }
        }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
    var result = PatchBatch(images: [], labels: [], cases: chosen.map { cases.files[$0].name })
    result.images.reserveCapacity(batch * channels * voxels)
    result.labels.reserveCapacity(batch * voxels)
    let drawn = samples.withLock { $0 }
    for index in 0..<batch {
      result.images += drawn[index]?.image ?? []
      result.labels += drawn[index]?.labels ?? []
    }
    return result
  }

  private struct Sample {
    var image: [Float]
    var labels: [UInt8]
  }

  private func sample(_ index: Int, step: Int, from number: Int) throws -> Sample {
    let volume = try cases.volume(number)
    let voxels = drawing.patch.reduce(1, *)
    var labels = [UInt8](repeating: 0, count: voxels)
    let image = [Float](unsafeUninitializedCapacity: channels * voxels) { image, count in
      guard let base = image.baseAddress else { return }
      drawing.draw(
        from: volume, showsForeground: mustShowForeground(sample: step * batch + index),
        seed: seed, step: step, sample: index, image: base, labels: &labels)
      count = channels * voxels
    }
    return Sample(image: image, labels: labels)
  }

  /// Whether a sample, counted over all steps, is one of the share that must show labels.
  func mustShowForeground(sample: Int) -> Bool {
    let share = drawing.options.foreground
    return (Double(sample + 1) * share).rounded(.down) > (Double(sample) * share).rounded(.down)
  }

  /// The cases of a step's samples: without replacement as long as there are cases left.
  func caseNumbers(step: Int) -> [Int] {
    var generator = CounterGenerator(seed: seed, step: step, purpose: .caseChoice)
    var chosen: [Int] = []
    var left: [Int] = []
    for _ in 0..<batch {
      if left.isEmpty { left = Array(0..<cases.count) }
      let total = left.reduce(0) { $0 + weights[$1] }
      var place = generator.uniform() * total
      let found = left.firstIndex { number in
        place -= weights[number]
        return place < 0
      }
      chosen.append(left.remove(at: found ?? left.count - 1))
    }
    return chosen
  }
}

/// Patches that are drawn in the background.
private final class PendingBatch: Sendable {
  let step: Int
  private let done = DispatchSemaphore(value: 0)
  private let result = Mutex<Result<PatchBatch, any Error>?>(nil)

  init(step: Int) { self.step = step }

  func finish(_ found: Result<PatchBatch, any Error>) {
    result.withLock { $0 = found }
    done.signal()
  }

  /// Waits, once, for the patches; nil never.
  func wait() throws -> PatchBatch? {
    done.wait()
    return try result.withLock { $0 }?.get()
  }
}
