import Foundation
import Volumes

/// Measures the limits of a model on the volumes it is trained with.
///
/// An input's spacing, extent and intensities are accepted as far beyond the training volumes as
/// ``Margin`` says, so that a site's next image of the same kind passes and another kind does not.
///
/// ```swift
/// var measurement = LimitMeasurement(preprocessing: preprocessing, labels: [1, 2, 3])
/// for case in cases { try measurement.add(case.channels, labels: case.labels) }
/// let input = measurement.input(modalities: ["MR"], bodyParts: [])
/// ```
public struct LimitMeasurement {
  /// How far limits reach beyond what was measured.
  public enum Margin {
    /// Factor on the least and the most of spacing, extent and a label's volume.
    public static let factor = 1.25
    /// Parts of a statistic's range by which its usual and its accepted range are wider on each side.
    public static let usual = 0.25
    public static let accepted = 1.0
    /// Of the least part of a label that is connected.
    public static let largestPart = 0.9
    /// A pattern that some training volume resembles less than this says nothing of other volumes.
    public static let leastPatternCorrelation = 0.3
  }

  /// Blocks of the pattern along z, y, x.
  private static let patternShape = [4, 5, 4]

  private let preprocessing: Preprocessing
  private let mirrorAxes: [Int]
  private let labels: [UInt8]
  private var spacings: [[Double]] = []
  private var extents: [[Double]] = []
  /// By channel: the figures of each case.
  private var figures: [[[IntensityStatistic: Double]]] = []
  /// Of the first channel of each case: means of blocks, mean 0 and length 1.
  private var blocks: [[Double]] = []
  /// By label: millilitres and the part in the largest component, of the cases that have it.
  private var sizes: [UInt8: [(millilitres: Double, largestPart: Double)]] = [:]

  /// - Parameters:
  ///   - preprocessing: whose orientation the limits are in.
  ///   - mirrorAxes: axes (0, 1, 2 for z, y, x) along which a mirrored volume is as good.
  ///   - labels: the values whose volumes are measured.
  public init(preprocessing: Preprocessing, mirrorAxes: [Int] = [], labels: [UInt8]) {
    self.preprocessing = preprocessing
    self.mirrorAxes = mirrorAxes
    self.labels = labels
  }

  /// The cases measured.
  public var count: Int { spacings.count }

  /// Measures a case.
  ///
  /// - Parameters:
  ///   - channels: its volumes on one grid, unchanged.
  ///   - known: its labels, on the same grid.
  /// - Throws: `InputRefusal` where no model would take the volumes.
  public mutating func add(_ channels: [Volume], labels known: LabelVolume) throws(InputRefusal) {
    try checkVoxels(channels, expected: preprocessing.normalization.count)
    guard let reorientation = preprocessing.reorientation(of: channels[0].grid) else {
      throw .orientation(preprocessing.orientation)
    }
    let grid = reorientation.apply(channels[0].grid)
    spacings.append(grid.spacing)
    extents.append(zip(grid.spacing, grid.shape).map { $0 * Double($1) })
    for (index, channel) in channels.enumerated() {
      let turned = reorientation.apply(channel)
      let found = IntensityFigures(turned)
      let statistics = IntensityStatistic.allCases.filter { $0 != .patternCorrelation }
      if figures.count == index { figures.append([]) }
      figures[index].append(
        Dictionary(
          uniqueKeysWithValues: statistics.map { ($0, found.value($0, pattern: nil)) }))
      if index == 0 {
        blocks.append(
          IntensityPattern.standardisedBlocks(
            turned.voxels, full: grid.shape, shape: Self.patternShape))
      }
    }
    for label in labels {
      var components = Components(known.labels, of: [label], shape: known.grid.shape)
      let parts = components.sizes().values
      let voxels = parts.reduce(0, +)
      guard voxels > 0, let most = parts.max() else { continue }
      sizes[label, default: []].append(
        (
          Double(voxels) * known.grid.spacing.reduce(1, *) / 1000,
          Double(most) / Double(voxels)
        ))
    }
  }

  /// The limits of the input.
  ///
  /// - Parameters:
  ///   - modalities: Modality (0008,0060), which volumes do not say.
  ///   - bodyParts: Body Part Examined (0018,0015).
  public func input(modalities: [String], bodyParts: [String]) -> InputLimits {
    var limits: [IntensityLimit] = []
    for (channel, cases) in figures.enumerated() {
      for statistic in IntensityStatistic.allCases where statistic != .patternCorrelation {
        let values = cases.compactMap { $0[statistic] }
        if let limit = limit(statistic, channel: channel, values) { limits.append(limit) }
      }
    }
    let pattern = pattern()
    let correlations = pattern.map { pattern in blocks.map { pattern.correlation(ofBlocks: $0) } }
    if let least = correlations?.min(), least >= Margin.leastPatternCorrelation,
      let limit = limit(.patternCorrelation, channel: 0, correlations ?? [])
    {
      limits.append(limit)
    }
    let usesPattern = limits.contains { $0.statistic == .patternCorrelation }
    return InputLimits(
      modalities: modalities, bodyParts: bodyParts, spacing: range(spacings),
      extent: range(extents), intensity: limits, pattern: usesPattern ? pattern : nil)
  }

  /// The usual size of each label that every case has.
  public func output() -> [OutputLimit] {
    labels.compactMap { label in
      guard let found = sizes[label], found.count == count,
        let least = found.map(\.millilitres).min(), let most = found.map(\.millilitres).max(),
        let part = found.map(\.largestPart).min()
      else { return nil }
      return OutputLimit(
        label: label,
        millilitres: [rounded(least / Margin.factor, down: true), rounded(most * Margin.factor)],
        largestPart: rounded(part * Margin.largestPart, down: true))
    }
  }

  private func range(_ values: [[Double]]) -> InputLimits.Range {
    func extreme(_ choose: ([Double]) -> Double?) -> [Double] {
      (0..<3).map { axis in choose(values.map { $0[axis] }) ?? 0 }
    }
    return InputLimits.Range(
      min: extreme { $0.min() }.map { rounded($0 / Margin.factor, down: true) },
      max: extreme { $0.max() }.map { rounded($0 * Margin.factor) })
  }

  /// nil where a value is infinite: the statistic then says nothing of such images.
  private func limit(
    _ statistic: IntensityStatistic, channel: Int, _ values: [Double]
  ) -> IntensityLimit? {
    guard let least = values.min(), let most = values.max(), least.isFinite, most.isFinite else {
      return nil
    }
    let width = max(most - least, statistic.leastWidth)
    func widened(_ margin: Double) -> [Double] {
      [
        rounded(max(statistic.bounds.lowerBound, least - margin * width), down: true),
        rounded(min(statistic.bounds.upperBound, most + margin * width)),
      ]
    }
    return IntensityLimit(
      statistic: statistic, channel: channel, usual: widened(Margin.usual),
      accepted: widened(Margin.accepted))
  }

  /// The mean of all cases' blocks; nil where they cancel out.
  private func pattern() -> IntensityPattern? {
    guard let first = blocks.first else { return nil }
    let mean = first.indices.map { index in
      blocks.reduce(0.0) { $0 + $1[index] } / Double(blocks.count)
    }
    let length = mean.reduce(0.0) { $0 + $1 * $1 }.squareRoot()
    guard length > 0.05 else { return nil }
    return IntensityPattern(
      shape: Self.patternShape, mirrorAxes: mirrorAxes,
      values: mean.map { (1000 * $0 / length).rounded() / 1000 })
  }

  /// Three decimals, away from the middle of the range.
  private func rounded(_ value: Double, down: Bool = false) -> Double {
    (value * 1000).rounded(down ? .down : .up) / 1000
  }
}

extension IntensityStatistic {
  /// What the values can be.
  fileprivate var bounds: ClosedRange<Double> {
    switch self {
    case .zeroFraction, .medianPosition: 0...1
    case .coefficientOfVariation: 0...1e6
    case .skewness: -1e6...1e6
    case .neighbourCorrelation, .patternCorrelation: -1...1
    }
  }

  /// The range that few or very similar training volumes are taken to have.
  fileprivate var leastWidth: Double {
    switch self {
    case .zeroFraction, .medianPosition: 0.1
    case .coefficientOfVariation, .patternCorrelation: 0.2
    case .skewness: 1
    case .neighbourCorrelation: 0.05
    }
  }
}
