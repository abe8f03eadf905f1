import Checkpoints
import UNETRPP
import Volumes

/// Segments volumes with one model, one at a time.
///
/// Runs on a thread of its own and not on the cooperative pool, which is as wide as the cores and
/// would stand still for the minutes that a volume takes.
public actor Segmenter {
  public nonisolated let bundle: ModelBundle
  private let executor = SerialQueueExecutor(label: "segmentd.segmenter")
  private let network: Network

  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// - Parameter threads: threads of the network's arithmetic.
  /// - Throws: `SafetensorsError`, or `NetworkError` where the weights are not the network's.
  public init(bundle: ModelBundle, threads: Int) throws {
    self.bundle = bundle
    let weights = try SafetensorsFile(path: bundle.weights.path)
    network = try Network(description: bundle.network, weights: weights, threads: threads)
  }

  /// Labels on the grid of the first channel.
  ///
  /// - Parameters:
  ///   - channels: volumes on one grid, in the order the model was trained with.
  ///   - progress: called after each patch, on the segmenter's thread.
  /// - Throws: `InputRefusal` where the model was not made for the input, `CancellationError`
  ///   between patches once the task is cancelled, or the network's error.
  public func segment(
    _ channels: [Volume], progress: @Sendable (SegmentationProgress) -> Void = { _ in }
  ) throws -> LabelVolume {
    try segmentation(of: channels, bundle: bundle, progress: progress) { input, logits in
      try network.forward(input, logits: logits)
    }
  }
}

/// The whole way from volumes to labels, whatever computes the patches.
func segmentation(
  of channels: [Volume], bundle: ModelBundle,
  progress: (SegmentationProgress) -> Void, forward: SlidingWindow.Forward
) throws -> LabelVolume {
  try checkVoxels(channels, expected: bundle.network.inputChannels)
  let grid = channels[0].grid
  guard let reorientation = Reorientation(of: grid, to: bundle.preprocessing.orientation) else {
    throw InputRefusal.orientation(bundle.preprocessing.orientation)
  }
  let turnedGrid = reorientation.apply(grid)
  try bundle.input.check(turnedGrid)

  let image = bundle.preprocessing.apply(channels.map { reorientation.apply($0) })
  let window = SlidingWindow(
    patch: bundle.network.patch, channels: bundle.network.inputChannels,
    classes: bundle.network.classes, step: bundle.inference.step,
    mirrorAxes: bundle.inference.mirrorAxes)
  let clock = ContinuousClock()
  let start = clock.now
  try Task.checkCancellation()
  let probabilities = try window.probabilities(image.values, shape: image.shape, forward: forward) {
    done, total in
    progress(
      SegmentationProgress(
        patchesDone: done, patchesTotal: total, elapsed: clock.now - start))
    try Task.checkCancellation()
  }
  var labels = image.labels(
    probabilities, classes: bundle.network.classes, fullShape: turnedGrid.shape)
  let voxelVolume = turnedGrid.spacing.reduce(1, *)
  for rule in bundle.postprocessing {
    rule.apply(&labels, shape: turnedGrid.shape, voxelVolume: voxelVolume)
  }
  return reorientation.undo(LabelVolume(grid: turnedGrid, labels: labels), to: grid)
}
