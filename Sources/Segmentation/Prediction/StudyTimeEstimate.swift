import UNETRPP
import Volumes

/// What a study takes in addition to its patches' arithmetic, measured on a small volume in memory:
/// making the network's input, adding up probabilities, and resampling them back to labels.
public struct StudyTimeEstimate: Sendable, Equatable {
  /// Seconds of cutting out a patch and adding up its probabilities.
  public let secondsPerPatch: Double
  /// Seconds of preprocessing and labels for each voxel of the source.
  public let secondsPerVoxel: Double

  /// The pixels of a study are larger than the model's by this factor, so that it is resampled.
  public static let pixelFactor = 1.03

  /// Processes a volume about as deep as a patch and twice as wide, with a network that computes
  /// nothing.
  ///
  /// - Parameters:
  ///   - network: the shape of its patch and the number of its channels and classes are used.
  ///   - inference: how the model is applied.
  ///   - spacing: the model's, z, y, x in mm.
  public static func measure(
    _ network: NetworkDescription, inference: ModelBundle.Inference, spacing: [Double]
  ) throws -> StudyTimeEstimate {
    let preprocessing = Preprocessing(
      orientation: [], spacing: spacing, cropToNonzero: true,
      normalization: [Normalization](
        repeating: .ct(lower: -900, upper: 900, mean: 0, sd: 500), count: network.inputChannels))
    let shape = [network.patch[0], 2 * network.patch[1], 2 * network.patch[2]]
    let volume = Volume(
      grid: grid(shape: shape, spacing: spacing),
      storage: .int16((0..<shape.reduce(1, *)).map { Int16($0 * 7919 % 2003) - 1000 }))
    let channels = [Volume](repeating: volume, count: network.inputChannels)
    let times = StageTimes()
    let image = try times.measure(.preprocessing) { try preprocessing.apply(channels) }
    let window = SlidingWindow(
      patch: network.patch, channels: network.inputChannels, classes: network.classes,
      step: inference.step, mirrorAxes: [])
    _ = try predictedLabels(
      image, window, inference.throughPlane, times, progress: { _ in }, forward: { _, _ in })
    let patches = PatchCount.of(
      shape: image.shape, patch: network.patch,
      inference: ModelBundle.Inference(step: inference.step, mirrorAxes: []))
    func seconds(_ stage: Stage) -> Double { times.seconds[stage.rawValue] ?? 0 }
    return StudyTimeEstimate(
      secondsPerPatch: seconds(.merging) / Double(patches),
      secondsPerVoxel: (seconds(.preprocessing) + seconds(.labels)) / Double(volume.grid.voxelCount)
    )
  }

  /// The shape of a study's image for the network, after resampling.
  ///
  /// - Parameters:
  ///   - shape: of the source, z, y, x.
  ///   - spacing: of the source's voxels, z, y, x in mm.
  public static func resampledShape(_ shape: [Int], spacing: [Double]) -> [Int] {
    Resampling(
      shape: shape, spacing: [spacing[0], spacing[1] * pixelFactor, spacing[2] * pixelFactor],
      targetSpacing: spacing
    ).newShape
  }

  private static func grid(shape: [Int], spacing: [Double]) -> VolumeGrid {
    VolumeGrid(
      columns: shape[2], rows: shape[1], slices: shape[0],
      affine: Affine(
        column: SIMD3(spacing[2] * pixelFactor, 0, 0), row: SIMD3(0, spacing[1] * pixelFactor, 0),
        slice: SIMD3(0, 0, spacing[0]), origin: SIMD3(0, 0, 0)))
  }
}
