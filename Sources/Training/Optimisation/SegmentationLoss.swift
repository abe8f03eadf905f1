import Tensors

/// A loss and its parts.
public struct LossValue: Sendable, Equatable {
  /// Cross-entropy and 1 − mean Dice, weighted over the resolutions.
  public var total: Double
  /// At the finest resolution.
  public var crossEntropy: Double
  /// At the finest resolution the soft Dice coefficient of each class but the background.
  public var dice: [Double]
}

/// Why there is no loss to descend.
public enum LossError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A logit or a sum of them is infinite or not a number.
  case notFinite(level: Int, crossEntropy: Double, dice: [Double])
  /// A label is none of the network's classes.
  case label(value: UInt8, sample: Int, voxel: Int, classes: Int)
  /// The resolutions do not divide the labels'.
  case shape(level: [Int], labels: [Int])

  public var description: String {
    switch self {
    case .notFinite(let level, let crossEntropy, let dice):
      "the loss is not finite (resolution \(level): cross-entropy \(crossEntropy), Dice \(dice)); "
        + "the weights are kept; a lower learning rate or gradient clipping prevents it"
    case .label(let value, let sample, let voxel, let classes):
      "voxel \(voxel) of sample \(sample) has the label \(value), but the network has the classes "
        + "0...\(classes - 1)"
    case .shape(let level, let labels):
      "logits of \(level) voxels do not belong to labels of \(labels) voxels"
    }
  }
}

/// Cross-entropy plus soft Dice over the classes but the background, at several resolutions (deep
/// supervision), and its gradient.
///
/// At each resolution the loss is `mean(−log p_label) + 1 − mean(dice)` with
/// `dice = (2 Σ p·y + s) / (Σ p + Σ y + s + 1e-8)` over the voxels of a sample, or of the batch;
/// nnU-Net's value lacks the constant 1. Sums are in double precision over fixed blocks of voxels, so
/// that they do not depend on the number of threads.
public final class SegmentationLoss {
  public let options: LossOptions
  let batch: Int
  let classes: Int
  let shape: [Int]
  private let softmax = ProbabilitySums()

  /// - Parameters:
  ///   - options: weights and conventions.
  ///   - batch: samples.
  ///   - classes: of the network, background included; at least 2.
  ///   - shape: voxels of the labels along z, y, x.
  public init(_ options: LossOptions, batch: Int, classes: Int, shape: [Int]) {
    self.options = options
    self.batch = batch
    self.classes = classes
    self.shape = shape
  }

  /// The loss of the logits, whose gradient is written to the levels.
  ///
  /// - Parameters:
  ///   - levels: from the finest resolution on.
  ///   - labels: sample, z, y, x.
  ///   - compute: the threads.
  /// - Throws: ``LossError``; the gradients are then not to be used.
  public func evaluate(
    _ levels: [LossLevel], labels: UnsafePointer<UInt8>, compute: Compute
  ) throws(LossError) -> LossValue {
    let weights = Array(options.levelWeights.prefix(levels.count))
    let sum = weights.reduce(0, +)
    var value = LossValue(total: 0, crossEntropy: 0, dice: [])
    for (index, (level, weight)) in zip(levels, weights).enumerated() {
      let target = try target(level, labels)
      let pass = LossPass(
        level: level, target: target, batch: batch, classes: classes, options: options,
        softmax: softmax)
      let sums = pass.sums(compute)
      let dice = (1..<classes).map { sums.dice(ofClass: $0) }
      let part =
        options.crossEntropyWeight * sums.crossEntropy
        + options.diceWeight * (1 - dice.reduce(0, +) / Double(classes - 1))
      guard part.isFinite else {
        throw .notFinite(level: index, crossEntropy: sums.crossEntropy, dice: dice)
      }
      pass.writeGradient(sums, weight: weight / sum, compute)
      value.total += weight / sum * part
      if index == 0 { (value.crossEntropy, value.dice) = (sums.crossEntropy, dice) }
    }
    return value
  }

  /// The labels at a level's resolution.
  private func target(_ level: LossLevel, _ labels: UnsafePointer<UInt8>) throws(LossError)
    -> [UInt8]
  {
    guard level.shape.count == 3,
      zip(shape, level.shape).allSatisfy({ $1 > 0 && $0 % $1 == 0 })
    else { throw .shape(level: level.shape, labels: shape) }
    let factors = zip(shape, level.shape).map { $0 / $1 }
    let first = factors.map { options.targetSampling == .centre ? $0 / 2 : 0 }
    let rows = level.shape[1]
    var target = [UInt8](repeating: 0, count: batch * level.shape.reduce(1, *))
    var index = 0
    for row in 0..<batch * level.shape[0] * rows {
      let (plane, y) = (row / rows, row % rows * factors[1] + first[1])
      let (sample, z) = (plane / level.shape[0], plane % level.shape[0] * factors[0] + first[0])
      let start = ((sample * shape[0] + z) * shape[1] + y) * shape[2] + first[2]
      for x in 0..<level.shape[2] {
        let label = labels[start + x * factors[2]]
        guard label < classes else {
          throw .label(
            value: label, sample: sample, voxel: index - sample * target.count / batch,
            classes: classes)
        }
        target[index] = label
        index += 1
      }
    }
    return target
  }
}
