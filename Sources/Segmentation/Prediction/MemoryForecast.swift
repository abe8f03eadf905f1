import Volumes

/// The memory that segmenting a volume takes beyond the loaded network, in bytes.
///
/// Counted from the arrays that are held at the same time in each stage; small ones are left out.
public struct MemoryForecast: Sendable, Equatable, Codable {
  /// While the source is read and the network's input is made of it.
  public var preprocessing: Int
  /// While patches are predicted: the input, the sums of open planes, and the labels.
  public var prediction: Int
  /// While the result is written and proved.
  public var writing: Int

  public var peak: Int { max(preprocessing, prediction, writing) }
}

extension ModelBundle {
  /// What a volume on this grid will take.
  ///
  /// An upper bound: nothing is known yet of what a crop to nonzero voxels leaves, or of how many
  /// slices will have labels.
  ///
  /// - Parameters:
  ///   - grid: of the source volume.
  ///   - bytesPerVoxel: 2 for whole numbers of 16 bits, 4 for others.
  ///   - threads: that resample.
  ///   - keepsProbabilities: whether those of the network are kept until they are written.
  ///   - isResampled: whether the grid is not that of the source's planes, so that what is predicted on it becomes
  ///     another array of the same size.
  /// - Throws: ``InputRefusal/orientation(_:)``
  public func memoryForecast(
    of grid: VolumeGrid, bytesPerVoxel: Int, threads: Int, keepsProbabilities: Bool = false,
    isResampled: Bool = false
  ) throws(InputRefusal) -> MemoryForecast {
    let plan = try PreprocessingPlan(preprocessing, grid: grid)
    let resampling = plan.resampling
    let voxels = grid.voxelCount
    let newVoxels = resampling.newShape.reduce(1, *)
    let channels = network.inputChannels
    let usesMask = preprocessing.normalization.contains { $0.usesMask }
    let input = 4 * channels * newVoxels
    let mask = usesMask ? 2 * voxels + newVoxels : 0
    let window = SlidingWindow(self).scratchBytes(shape: resampling.newShape)
    let assembly = LabelAssembly.scratchBytes(
      resampling.back(inference.throughPlane), classes: network.classes)
    // The labels, what the proof reads back, and a bit for each voxel of each segment, twice.
    let bits = (network.classes - 1) * voxels / 8
    let source = channels * voxels * bytesPerVoxel
    // Each thread's share of a channel's voxels, until they are put together.
    let shares = voxels * bytesPerVoxel
    let probabilities =
      keepsProbabilities ? ProbabilityVolume.mostBytes(grid, classes: network.classes) : 0
    return MemoryForecast(
      preprocessing: source
        + max(shares, mask + input + resampling.scratchBytes(threads: threads)),
      prediction: input + window + assembly + voxels + probabilities,
      writing: 2 * voxels + 2 * bits + (isResampled ? 2 : 1) * probabilities)
  }
}
