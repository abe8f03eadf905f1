import Foundation
import Segmentation
import Volumes

/// What the cases of a data set have in common, as nnU-Net measures it: the plans of a network are
/// derived from it.
public struct DataFingerprint: Codable, Sendable, Equatable {
  /// Of one case, along the array axes z, y, x of the orientation.
  public struct Case: Codable, Sendable, Equatable {
    public var name: String
    /// In mm.
    public var spacing: [Double]
    /// Voxels of the bounding box of what is not zero.
    public var shape: [Int]
    /// The part of all voxels that is in this box.
    public var boxShare: Double
    /// Labels that it holds.
    public var labels: [UInt8]
  }

  /// Intensities of one channel in the labelled voxels of all cases.
  public struct Intensities: Codable, Sendable, Equatable {
    public var mean: Double
    public var sd: Double
    public var median: Double
    /// The percentiles 0.5 and 99.5.
    public var lower: Double
    public var upper: Double
  }

  public var cases: [Case]
  /// One for each channel; empty where no case has a label.
  public var intensities: [Intensities]
}

/// Measures a fingerprint case by case.
public struct FingerprintMeasurement {
  /// Labelled voxels of a case whose intensities count, at regular distances.
  private static let samples = 20_000

  private let orientation: [PatientDirection]
  private var cases: [DataFingerprint.Case] = []
  /// By channel.
  private var intensities: [[Float]] = []

  /// - Parameter orientation: as of `Preprocessing`; empty for arrays as acquired.
  public init(orientation: [PatientDirection]) { self.orientation = orientation }

  public mutating func add(_ item: TrainingCase) throws(TrainingDataError) {
    let grid = item.labels.grid
    guard
      let turn = orientation.isEmpty ? Reorientation.none : Reorientation(of: grid, to: orientation)
    else {
      throw .cannotPrepare(
        name: item.name, reason: "\(InputRefusal.orientation(orientation))")
    }
    let turned = turn.apply(grid)
    let box = Self.box(item.channels.map { turn.view(of: $0) })
    let shape = box.map(\.count)
    cases.append(
      DataFingerprint.Case(
        name: item.name, spacing: turned.spacing, shape: shape,
        boxShare: Double(shape.reduce(1, *)) / Double(turned.voxelCount),
        labels: Set(item.labels.labels).subtracting([0]).sorted()))
    let labelled = item.labels.labels.indices.filter { item.labels.labels[$0] != 0 }
    let step = max(1, labelled.count / Self.samples)
    for (channel, volume) in item.channels.enumerated() {
      if intensities.count <= channel { intensities.append([]) }
      for index in stride(from: 0, to: labelled.count, by: step) {
        intensities[channel].append(volume.storage[labelled[index]])
      }
    }
  }

  private static func box(_ views: [VoxelView]) -> [Range<Int>] {
    NonzeroMask.boundingBox(views) ?? views[0].shape.map { 0..<$0 }
  }

  /// What was measured.
  public var fingerprint: DataFingerprint {
    DataFingerprint(
      cases: cases,
      intensities: intensities.contains(where: \.isEmpty)
        ? [] : intensities.map { Self.properties($0.sorted()) })
  }

  private static func properties(_ sorted: [Float]) -> DataFingerprint.Intensities {
    let count = Double(sorted.count)
    let mean = sorted.reduce(0) { $0 + Double($1) } / count
    let squares = sorted.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    return DataFingerprint.Intensities(
      mean: mean, sd: (squares / count).squareRoot(), median: percentile(sorted, 0.5),
      lower: percentile(sorted, 0.005), upper: percentile(sorted, 0.995))
  }
}

/// Of sorted values, linear between them.
func percentile<Value: BinaryFloatingPoint>(_ sorted: [Value], _ share: Double) -> Double {
  guard let last = sorted.last else { return .nan }
  let place = share * Double(sorted.count - 1)
  let below = Int(place)
  guard below + 1 < sorted.count else { return Double(last) }
  return Double(sorted[below])
    + (place - Double(below)) * (Double(sorted[below + 1]) - Double(sorted[below]))
}
