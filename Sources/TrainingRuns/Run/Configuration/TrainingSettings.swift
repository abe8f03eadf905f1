import Foundation
import StrictYAML
import Training

/// Which cases are held out: by a file, or by folds that are drawn.
public struct SplitSettings: Codable, Sendable, Equatable {
  /// A JSON file with the lists `training` and `heldOut`; nil for folds.
  public var file: String?
  public var folds: Int
  /// The fold that is held out, from 0.
  public var fold: Int
  public var seed: UInt64
  /// Whether cases whose names are the same up to the first underscore are on one side.
  public var byPatient: Bool

  private enum Keys: String, CodingKey, CaseIterable { case file, folds, fold, seed, byPatient }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.strictContainer(keyedBy: Keys.self)
    file = try values.pathIfPresent(.file)
    folds = try values.number(.folds, in: 2...1000, or: 5)
    fold = try values.number(.fold, in: 0...folds - 1, or: 0)
    seed = UInt64(try values.number(.seed, in: 0...Int.max, or: 1))
    byPatient = try values.decodeIfPresent(Bool.self, forKey: .byPatient) ?? false
    if file != nil, values.contains(.folds) || values.contains(.fold) || values.contains(.seed) {
      throw DecodingError.dataCorruptedError(
        forKey: .file, in: values, debugDescription: "excludes folds, fold and seed")
    }
  }
}

extension SplitSettings {
  /// Divides cases.
  func split(_ names: [String]) throws(CaseSplitError) -> CaseSplit {
    if let file { return try CaseSplit(file: URL(fileURLWithPath: file), cases: names) }
    return try CaseSplit(
      fold: fold, of: folds, cases: names, seed: seed,
      patient: byPatient ? CaseSplit.prefixBeforeUnderscore : { $0 })
  }
}

/// How weights follow their gradients.
public struct OptimiserSettings: Codable, Sendable, Equatable {
  public enum Method: String, Codable, Sendable, CaseIterable { case adamW, sgd }
  /// The highest that `rate` may be.
  public static let highestRate = 1e6

  public var method: Method
  /// The learning rate at its highest.
  public var rate: Double
  /// Weight decay.
  public var decay: Double
  /// Of sgd.
  public var momentum: Double
  /// Of adamW.
  public var beta1: Double
  public var beta2: Double

  private enum Keys: String, CodingKey, CaseIterable {
    case method, rate, decay, momentum, beta1, beta2
  }

  public init() {
    (method, rate, decay, momentum, beta1, beta2) = (.adamW, 1e-3, 1e-2, 0.99, 0.9, 0.999)
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.strictContainer(keyedBy: Keys.self)
    method = try values.word(.method, or: .adamW)
    let isSGD = method == .sgd
    rate = try values.number(.rate, in: 0...Self.highestRate, or: isSGD ? 1e-2 : 1e-3)
    guard rate > 0 else {
      throw DecodingError.dataCorruptedError(
        forKey: .rate, in: values,
        debugDescription: "\(rate) is not above 0: nothing would be learnt")
    }
    decay = try values.number(.decay, in: 0...1, or: isSGD ? 3e-5 : 1e-2)
    momentum = try values.number(.momentum, in: 0...0.99999, or: 0.99)
    beta1 = try values.number(.beta1, in: 0...0.99999, or: 0.9)
    beta2 = try values.number(.beta2, in: 0...0.999999, or: 0.999)
  }

  var rule: OptimiserRule {
    switch method {
    case .adamW: .adamW(beta1: beta1, beta2: beta2, decay: decay)
    case .sgd: .sgd(momentum: momentum, decay: decay)
    }
  }
}

/// How the learning rate changes.
public struct ScheduleSettings: Codable, Sendable, Equatable {
  /// Of the polynomial by which the rate falls.
  public var power: Double
  /// The part of the steps before it falls.
  public var hold: Double
  /// Steps over which it rises.
  public var warmupSteps: Int

  private enum Keys: String, CodingKey, CaseIterable { case power, hold, warmupSteps }

  public init() { (power, hold, warmupSteps) = (0.9, 0, 50) }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.strictContainer(keyedBy: Keys.self)
    power = try values.number(.power, in: 0...10, or: 0.9)
    hold = try values.number(.hold, in: 0...0.999, or: 0)
    warmupSteps = try values.number(.warmupSteps, in: 0...1_000_000, or: 50)
  }
}

/// How the loss is put together.
public struct LossSettings: Codable, Sendable, Equatable {
  /// Added to numerator and denominator of the soft Dice coefficient.
  public var smoothing: Double
  /// Whether Dice is that of the whole batch, or the mean of its patches'.
  public var batchDice: Bool
  public var targets: LossOptions.TargetSampling

  private enum Keys: String, CodingKey, CaseIterable { case smoothing, batchDice, targets }

  public init() { (smoothing, batchDice, targets) = (1, true, .first) }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.strictContainer(keyedBy: Keys.self)
    smoothing = try values.number(.smoothing, in: 0...1e6, or: 1)
    batchDice = try values.decodeIfPresent(Bool.self, forKey: .batchDice) ?? true
    targets = try values.word(.targets, or: .first)
  }

  var options: LossOptions {
    LossOptions(smoothing: smoothing, isBatchDice: batchDice, targetSampling: targets)
  }
}

/// When the averaged weights are validated, and on what.
public struct ValidationSettings: Codable, Sendable, Equatable {
  public var everySteps: Int
  /// Of the held-out cases, evenly chosen; 0 for all. The end of a training always scores all.
  public var cases: Int
  /// Validations without a better mean Dice after which the training ends early; 0 for never.
  public var patience: Int

  private enum Keys: String, CodingKey, CaseIterable { case everySteps, cases, patience }

  public init() { (everySteps, cases, patience) = (500, 8, 0) }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.strictContainer(keyedBy: Keys.self)
    everySteps = try values.number(.everySteps, in: 1...100_000_000, or: 500)
    cases = try values.number(.cases, in: 0...1_000_000, or: 8)
    patience = try values.number(.patience, in: 0...1_000_000, or: 0)
  }
}

/// Which weights the bundle gets, and how they are stored.
public struct WeightSettings: Codable, Sendable, Equatable {
  public enum Precision: String, Codable, Sendable, CaseIterable {
    /// Matrices and kernels as float16, the rest as float32.
    case half
    case single
  }
  public enum Choice: String, Codable, Sendable, CaseIterable {
    /// The average at the last step.
    case last
    /// The average at the validation with the highest mean Dice.
    case best
  }

  public var precision: Precision
  public var choice: Choice

  private enum Keys: String, CodingKey, CaseIterable { case precision, choice }

  public init() { (precision, choice) = (.half, .last) }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.strictContainer(keyedBy: Keys.self)
    precision = try values.word(.precision, or: .half)
    choice = try values.word(.choice, or: .last)
  }
}
