import Volumes

/// A figure of a volume's intensities that does not change with their scale.
///
/// A volume is assessed by several, because each is blind to something: noise may have the usual
/// spread, a CT the usual smoothness.
public enum IntensityStatistic: String, Sendable, Equatable, Codable, CaseIterable {
  /// Part of the voxels that are exactly 0.
  case zeroFraction
  /// Standard deviation over mean; infinite where the mean is not positive. Changes where the
  /// zero of the scale is moved, as in a CT or an inverted image.
  case coefficientOfVariation
  /// Third standardised moment.
  case skewness
  /// Where the median is between the 1st (0) and the 99th percentile (1).
  case medianPosition
  /// Correlation of voxels with their neighbours, mean over the three axes: 0 for noise, near 1
  /// for an image that was enlarged.
  case neighbourCorrelation
  /// Correlation of the volume's block means with those of the mean training volume, see
  /// ``IntensityPattern``; negative for an inverted image, small for other anatomy.
  case patternCorrelation
}

/// The mean of the training volumes, coarsely: block means on a small grid over the whole volume.
public struct IntensityPattern: Sendable, Equatable, Codable {
  /// Number of blocks along z, y, x of the model's orientation.
  public var shape: [Int]
  /// Axes (0, 1, 2 for z, y, x) along which a mirrored volume is as good.
  public var mirrorAxes: [Int]
  /// z, y, x; mean 0 and length 1 within rounding.
  public var values: [Double]

  public init(shape: [Int], mirrorAxes: [Int], values: [Double]) {
    self.shape = shape
    self.mirrorAxes = mirrorAxes
    self.values = values
  }

  init(_ node: BundleNode) throws(ModelBundleError) {
    let node = try node.allowing(["shape", "mirrorAxes", "values"])
    shape = []
    for item in try node.required("shape").items() { shape.append(try item.integer(in: 1...16)) }
    guard shape.count == 3 else { throw node.invalid("has not three numbers of blocks (z, y, x)") }
    mirrorAxes = []
    if let axes = node.optional("mirrorAxes") {
      for item in try axes.items() { mirrorAxes.append(try item.integer(in: 0...2)) }
    }
    values = []
    for item in try node.required("values").items() { values.append(try item.number()) }
    guard values.count == shape.reduce(1, *), let most = values.max(), let least = values.min(),
      least < most
    else { throw node.invalid("has not one value for each block, or all are the same") }
  }

  /// The best correlation over the allowed mirrorings.
  ///
  /// - Parameters:
  ///   - voxels: intensities, order z, y, x.
  ///   - full: shape of the voxels, z, y, x in the model's orientation.
  func correlation(with voxels: [Float], shape full: [Int]) -> Double {
    correlation(ofBlocks: Self.blockMeans(voxels, full: full, shape: shape))
  }

  /// The same for a volume's block means.
  func correlation(ofBlocks blocks: [Double]) -> Double {
    let mirrorings = (0..<8).filter { mirroring in
      (0..<3).allSatisfy { mirroring & (1 << $0) == 0 || mirrorAxes.contains($0) }
    }
    return mirrorings.map { Self.correlation(values, mirrored(blocks, $0)) }.max() ?? 0
  }

  /// The means of a volume's blocks, shifted and scaled to mean 0 and length 1; zeros where all are
  /// the same.
  static func standardisedBlocks(_ voxels: [Float], full: [Int], shape: [Int]) -> [Double] {
    let means = blockMeans(voxels, full: full, shape: shape)
    let mean = means.reduce(0, +) / Double(means.count)
    let length = means.reduce(0.0) { $0 + ($1 - mean) * ($1 - mean) }.squareRoot()
    return means.map { length > 0 ? ($0 - mean) / length : 0 }
  }

  private static func blockMeans(_ voxels: [Float], full: [Int], shape: [Int]) -> [Double] {
    func range(_ axis: Int, _ block: Int) -> Range<Int> {
      let start = min(block * full[axis] / shape[axis], full[axis] - 1)
      return start..<max(start + 1, (block + 1) * full[axis] / shape[axis])
    }
    var means: [Double] = []
    for z in 0..<shape[0] {
      for y in 0..<shape[1] {
        for x in 0..<shape[2] {
          var sum = 0.0
          let (depth, height, width) = (range(0, z), range(1, y), range(2, x))
          for row in depth.flatMap({ z in height.map { (z * full[1] + $0) * full[2] } }) {
            for x in width { sum += Double(voxels[row + x]) }
          }
          means.append(sum / Double(depth.count * height.count * width.count))
        }
      }
    }
    return means
  }

  private func mirrored(_ blocks: [Double], _ axes: Int) -> [Double] {
    var result: [Double] = []
    for z in 0..<shape[0] {
      for y in 0..<shape[1] {
        for x in 0..<shape[2] {
          let place = [z, y, x].enumerated().map { axis, index in
            axes & (1 << axis) == 0 ? index : shape[axis] - 1 - index
          }
          result.append(blocks[(place[0] * shape[1] + place[1]) * shape[2] + place[2]])
        }
      }
    }
    return result
  }

  private static func correlation(_ a: [Double], _ b: [Double]) -> Double {
    let meanA = a.reduce(0, +) / Double(a.count)
    let meanB = b.reduce(0, +) / Double(b.count)
    var (product, squaresA, squaresB) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
      product += (x - meanA) * (y - meanB)
      squaresA += (x - meanA) * (x - meanA)
      squaresB += (y - meanB) * (y - meanB)
    }
    let size = (squaresA * squaresB).squareRoot()
    return size > 0 ? product / size : 0
  }
}

/// The statistics of one volume in the model's orientation, computed when asked for.
struct IntensityFigures {
  /// z, y, x.
  private let shape: [Int]
  private let voxels: [Float]
  private let mean: Double
  private let deviation: Double

  /// - Parameter volume: finite values that are not all the same.
  init(_ volume: Volume) {
    shape = volume.grid.shape
    let voxels = volume.voxels
    self.voxels = voxels
    let count = Double(voxels.count)
    let mean = voxels.reduce(0.0) { $0 + Double($1) } / count
    let squares = voxels.reduce(0.0) { sum, voxel in
      sum + (Double(voxel) - mean) * (Double(voxel) - mean)
    }
    self.mean = mean
    deviation = (squares / count).squareRoot()
  }

  func value(_ statistic: IntensityStatistic, pattern: IntensityPattern?) -> Double {
    switch statistic {
    case .zeroFraction:
      Double(voxels.count { $0 == 0 }) / Double(voxels.count)
    case .coefficientOfVariation: mean > 0 ? deviation / mean : .infinity
    case .skewness:
      voxels.reduce(0.0) { sum, voxel in
        let distance = (Double(voxel) - mean) / deviation
        return sum + distance * distance * distance
      } / Double(voxels.count)
    case .medianPosition: medianPosition()
    case .neighbourCorrelation:
      (0..<3).map(neighbourCorrelation).reduce(0, +) / 3
    case .patternCorrelation: pattern?.correlation(with: voxels, shape: shape) ?? 0
    }
  }

  private func medianPosition() -> Double {
    let sorted = voxels.sorted()
    func percentile(_ percent: Int) -> Double { Double(sorted[(sorted.count - 1) * percent / 100]) }
    let (low, high) = (percentile(1), percentile(99))
    return high > low ? (percentile(50) - low) / (high - low) : 0
  }

  /// Over the squares of the voxels that take part, so that a border cannot outweigh the rest.
  private func neighbourCorrelation(axis: Int) -> Double {
    let stride = [shape[1] * shape[2], shape[2], 1][axis]
    var (products, first, second) = (0.0, 0.0, 0.0)
    for (index, voxel) in voxels.enumerated()
    where index / stride % shape[axis] < shape[axis] - 1 {
      let (a, b) = (Double(voxel) - mean, Double(voxels[index + stride]) - mean)
      products += a * b
      first += a * a
      second += b * b
    }
    return first + second > 0 ? 2 * products / (first + second) : 0
  }
}
