import Foundation
import Tensors

/// What the loss of one resolution needs of all its voxels.
struct LossSums {
  let options: LossOptions
  let batch: Int
  let voxels: Int
  /// Σ p, Σ p·y and Σ y of each sample and class.
  var probability: [Double]
  var overlap: [Double]
  var wanted: [Double]
  var negativeLogLikelihood = 0.0
  private let classes: Int

  init(options: LossOptions, batch: Int, classes: Int, voxels: Int) {
    self.options = options
    self.batch = batch
    self.classes = classes
    self.voxels = voxels
    probability = [Double](repeating: 0, count: batch * classes)
    overlap = probability
    wanted = probability
  }

  var crossEntropy: Double { negativeLogLikelihood / Double(batch * voxels) }

  /// Numerator and denominator of a class's Dice coefficient: of the batch, or of one sample.
  func fraction(ofClass label: Int, sample: Int) -> (numerator: Double, denominator: Double) {
    let samples = options.isBatchDice ? 0..<batch : sample..<sample + 1
    func sum(_ values: [Double]) -> Double {
      samples.reduce(0) { $0 + values[$1 * classes + label] }
    }
    return (
      2 * sum(overlap) + options.smoothing,
      sum(probability) + sum(wanted) + options.smoothing + 1e-8
    )
  }

  /// Of the batch, or the mean of its samples.
  func dice(ofClass label: Int) -> Double {
    let samples = options.isBatchDice ? 1 : batch
    return (0..<samples).reduce(0) {
      let (numerator, denominator) = fraction(ofClass: label, sample: $1)
      return $0 + numerator / denominator
    } / Double(samples)
  }
}

/// The work on the voxels of one resolution, in blocks of fixed size.
struct LossPass {
  private static let blockVoxels = 2048

  let level: LossLevel
  let batch: Int
  let classes: Int
  let options: LossOptions
  private let target: [UInt8]
  private let softmax: ProbabilitySums
  private let voxels: Int
  private let blocksPerSample: Int

  init(
    level: LossLevel, target: [UInt8], batch: Int, classes: Int, options: LossOptions,
    softmax: ProbabilitySums
  ) {
    self.level = level
    self.target = target
    self.batch = batch
    self.classes = classes
    self.options = options
    self.softmax = softmax
    voxels = level.shape.reduce(1, *)
    blocksPerSample = (voxels + Self.blockVoxels - 1) / Self.blockVoxels
  }

  /// Puts the probabilities where the gradient shall be, and adds up what the loss is made of.
  func sums(_ compute: Compute) -> LossSums {
    let width = 3 * classes + 1
    var partial = [Double](repeating: 0, count: batch * blocksPerSample * width)
    partial.withUnsafeMutableBufferPointer { partial in
      target.withUnsafeBufferPointer { target in
        guard let sums = partial.baseAddress, let target = target.baseAddress else { return }
        compute.run(blocks: batch * blocksPerSample) { block, _ in
          let (start, count) = place(block)
          addBlock(
            block / blocksPerSample, start, count,
            target + block / blocksPerSample * voxels + start, sums + block * width)
        }
      }
    }
    var result = LossSums(options: options, batch: batch, classes: classes, voxels: voxels)
    for block in 0..<batch * blocksPerSample {
      for label in 0..<classes {
        let (index, from) = (block / blocksPerSample * classes + label, block * width + label)
        result.probability[index] += partial[from]
        result.overlap[index] += partial[from + classes]
        result.wanted[index] += partial[from + 2 * classes]
      }
      result.negativeLogLikelihood += partial[block * width + 3 * classes]
    }
    return result
  }

  /// The first voxel of a block within its sample, and how many there are.
  private func place(_ block: Int) -> (start: Int, count: Int) {
    let start = block % blocksPerSample * Self.blockVoxels
    return (start, min(Self.blockVoxels, voxels - start))
  }

  private func addBlock(
    _ sample: Int, _ start: Int, _ count: Int, _ target: UnsafePointer<UInt8>,
    _ sums: UnsafeMutablePointer<Double>
  ) {
    let logits = level.logits + sample * classes * voxels + start
    let probabilities = level.gradient + sample * classes * voxels + start
    for label in 0..<classes {
      (probabilities + label * voxels).update(repeating: 0, count: count)
    }
    softmax.add(
      logits, logitsPlane: voxels, classes: classes, weights: nil, share: 1, isReversed: false,
      to: probabilities, sumsPlane: voxels, count: count)
    for label in 0..<classes {
      let plane = probabilities + label * voxels
      var sum = 0.0
      for index in 0..<count { sum += Double(plane[index]) }
      sums[label] = sum
    }
    for index in 0..<count {
      let label = Int(target[index])
      sums[classes + label] += Double(probabilities[label * voxels + index])
      sums[2 * classes + label] += 1
    }
    sums[3 * classes] = negativeLogLikelihood(logits, probabilities, target, count)
  }

  /// Σ −log p of the labels: (largest logit − the label's) − log(largest probability), so that a
  /// probability that is too small for a float counts in full.
  private func negativeLogLikelihood(
    _ logits: UnsafePointer<Float>, _ probabilities: UnsafePointer<Float>,
    _ target: UnsafePointer<UInt8>, _ count: Int
  ) -> Double {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 3 * count) { scratch in
      guard let largest = scratch.baseAddress else { return 0 }
      let (mostProbable, difference) = (largest + count, largest + 2 * count)
      largest.update(from: logits, count: count)
      mostProbable.update(from: probabilities, count: count)
      // 0 where the logits are finite, not a number elsewhere.
      for index in 0..<count { difference[index] = logits[index] - logits[index] }
      for label in 1..<classes {
        let (logit, probability) = (logits + label * voxels, probabilities + label * voxels)
        for index in 0..<count {
          largest[index] = logit[index] > largest[index] ? logit[index] : largest[index]
          difference[index] += logit[index] - logit[index]
          mostProbable[index] =
            probability[index] > mostProbable[index] ? probability[index] : mostProbable[index]
        }
      }
      var sum = 0.0
      // The largest probability is at least 1 / classes: products of sixteen are far from 0.
      for first in stride(from: 0, to: count, by: 16) {
        var product = 1.0
        for index in first..<min(first + 16, count) {
          let logit = logits[Int(target[index]) * voxels + index]
          sum += Double(largest[index] - logit + difference[index])
          product *= Double(mostProbable[index])
        }
        sum -= log(product)
      }
      return sum
    }
  }

  /// Turns the probabilities into the gradient with respect to the logits.
  func writeGradient(_ sums: LossSums, weight: Double, _ compute: Compute) {
    let share = weight * options.crossEntropyWeight / Double(batch * voxels)
    // d(loss)/d(p) is `slope`, and `slope + step` where the class is the label.
    var slopes = [Float](repeating: 0, count: batch * classes)
    var steps = slopes
    let factor =
      weight * options.diceWeight
      / Double((classes - 1) * (options.isBatchDice ? 1 : batch))
    for sample in 0..<batch {
      for label in 1..<classes {
        let (numerator, denominator) = sums.fraction(ofClass: label, sample: sample)
        slopes[sample * classes + label] = Float(factor * numerator / (denominator * denominator))
        steps[sample * classes + label] = Float(-2 * factor / denominator)
      }
    }
    target.withUnsafeBufferPointer { target in
      guard let target = target.baseAddress else { return }
      compute.run(blocks: batch * blocksPerSample) { block, _ in
        let (sample, (start, count)) = (block / blocksPerSample, place(block))
        let first = sample * classes
        writeBlock(
          level.gradient + first * voxels + start, target + sample * voxels + start, count,
          slopes: Array(slopes[first..<first + classes]),
          steps: Array(steps[first..<first + classes]), share: Float(share))
      }
    }
  }

  private func writeBlock(
    _ values: UnsafeMutablePointer<Float>, _ target: UnsafePointer<UInt8>, _ count: Int,
    slopes: [Float], steps: [Float], share: Float
  ) {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { scratch in
      // Σ over the classes of p · d(loss)/d(p): what softmax takes off.
      guard let mean = scratch.baseAddress else { return }
      for index in 0..<count {
        let label = Int(target[index])
        mean[index] = steps[label] * values[label * voxels + index]
      }
      for label in 1..<classes {
        let (plane, slope) = (values + label * voxels, slopes[label])
        for index in 0..<count { mean[index] += slope * plane[index] }
      }
      for label in 0..<classes {
        let (plane, slope, step) = (values + label * voxels, slopes[label], steps[label])
        let wanted = UInt8(truncatingIfNeeded: label)
        for index in 0..<count {
          let isLabel: Float = target[index] == wanted ? 1 : 0
          let probability = plane[index]
          plane[index] =
            probability * (slope + step * isLabel - mean[index]) + share * (probability - isLabel)
        }
      }
    }
  }
}
