import Foundation

/// What random numbers are drawn for: streams of different purposes are independent.
public struct RandomPurpose: Sendable, Hashable, RawRepresentable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// First values of a network's parameters.
  public static let initialisation = RandomPurpose(rawValue: 1)
  /// Activations that dropout sets to zero.
  public static let dropout = RandomPurpose(rawValue: 2)
  /// Which case a sample shows.
  public static let caseChoice = RandomPurpose(rawValue: 3)
  /// Where in the case the patch is, and how it is turned, scaled and mirrored.
  public static let space = RandomPurpose(rawValue: 4)
  /// Changes of intensity.
  public static let intensity = RandomPurpose(rawValue: 5)
  /// The values of noise, one for each voxel.
  public static let noise = RandomPurpose(rawValue: 6)
  /// Folds of the cases.
  public static let folds = RandomPurpose(rawValue: 7)
}

/// A counter-based generator of random numbers: Philox4x32-10 (Salmon et al., "Parallel Random
/// Numbers: As Easy as 1, 2, 3", SC 2011).
///
/// A stream is a function of seed, step, sample and purpose alone: whatever was drawn before, and
/// on which thread, the numbers of a sample of a step are the same.
///
/// ```swift
/// var generator = CounterGenerator(seed: 1, step: 500, sample: 3, purpose: .space)
/// let angle = generator.uniform(in: -90...90)
/// ```
public struct CounterGenerator: RandomNumberGenerator, Sendable {
  private let key: SIMD2<UInt32>
  private var counter: SIMD4<UInt32>
  private var words = SIMD4<UInt32>()
  /// Words of the present block that were handed out.
  private var used = 4
  private var spareNormal: Double?

  /// - Parameters:
  ///   - seed: the key.
  ///   - step: number of the training step; its lower 32 bits count.
  ///   - sample: number within the step, or of a parameter; its lower 32 bits count.
  ///   - purpose: what the numbers are for.
  public init(seed: UInt64, step: Int = 0, sample: Int = 0, purpose: RandomPurpose) {
    key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    counter = SIMD4(
      0, UInt32(truncatingIfNeeded: step), UInt32(truncatingIfNeeded: sample), purpose.rawValue)
  }

  /// The four words of a counter: ten rounds of Philox4x32.
  static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var (counter, key) = (counter, key)
    for _ in 0..<10 {
      let first = (0xD251_1F53 as UInt32).multipliedFullWidth(by: counter.x)
      let second = (0xCD9E_8D57 as UInt32).multipliedFullWidth(by: counter.z)
      counter = SIMD4(
        second.high ^ counter.y ^ key.x, second.low, first.high ^ counter.w ^ key.y, first.low)
      key &+= SIMD2(0x9E37_79B9, 0xBB67_AE85)
    }
    return counter
  }

  /// 32 random bits. A stream repeats after 2³⁴ of them.
  public mutating func word() -> UInt32 {
    if used == 4 {
      words = Self.block(counter: counter, key: key)
      counter.x &+= 1
      used = 0
    }
    defer { used += 1 }
    return words[used]
  }

  /// 64 random bits.
  public mutating func next() -> UInt64 {
    let low = word()
    return UInt64(word()) << 32 | UInt64(low)
  }

  /// From 0 up to, but not including, 1: a multiple of 2⁻⁵³.
  public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Uniform between two bounds.
  public mutating func uniform(in range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * uniform()
  }

  /// True with the probability given.
  public mutating func chance(_ probability: Double) -> Bool { uniform() < probability }

  /// From the normal distribution of mean 0 and standard deviation 1 (Box and Muller).
  public mutating func normal() -> Double {
    if let value = spareNormal {
      spareNormal = nil
      return value
    }
    let radius = (-2 * log(1 - uniform())).squareRoot()
    let angle = 2 * Double.pi * uniform()
    spareNormal = radius * sin(angle)
    return radius * cos(angle)
  }

  /// A whole number from 0 up to, but not including, `bound` (at least 1), each as likely (Lemire,
  /// ACM TOMACS 29(1), 2019).
  public mutating func integer(below bound: Int) -> Int {
    let bound = UInt64(max(1, bound))
    let threshold = (0 &- bound) % bound
    while true {
      let product = bound.multipliedFullWidth(by: next())
      if product.low >= threshold { return Int(product.high) }
    }
  }

  /// The numbers 0..<count in random order (Fisher and Yates).
  public mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    for last in stride(from: count - 1, to: 0, by: -1) {
      order.swapAt(last, integer(below: last + 1))
    }
    return order
  }
}
