import Checkpoints
import Tensors
import UNETRPP
import Volumes

/// Segments volumes with one model, one at a time.
///
/// Runs on a thread of its own and not on the cooperative pool, which is as wide as the cores and
/// would be blocked for the minutes that a volume takes.
///
/// ```swift
/// let segmenter = try Segmenter(bundle: bundle, threads: 2)
/// let warnings = ModelWarnings()
/// let labels = try await segmenter.segment([volume], warnings: warnings)
/// print(labels.grid == volume.grid, warnings.all, warnings.notes)
/// ```
public actor Segmenter {
  public nonisolated let bundle: ModelBundle
  private let executor = SerialQueueExecutor(label: "segmentd.segmenter")
  private let network: Network
  /// Threads of the network's arithmetic.
  public nonisolated let threads: Int
  /// That was asked for; nil for the fastest of this machine.
  public nonisolated let instructionSet: InstructionSet?

  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// - Parameters:
  ///   - bundle: the model; its weights are read here.
  ///   - threads: threads of the network's arithmetic.
  ///   - instructionSet: of the network's arithmetic, so that labels are the same on every machine that has it; nil for
  ///     the fastest of this machine.
  /// - Throws: `SafetensorsError`, `NetworkError` where the weights are not the network's, or `MissingInstructionSet`.
  public init(bundle: ModelBundle, threads: Int, instructionSet: InstructionSet? = nil) throws {
    try instructionSet?.check()
    self.bundle = bundle
    self.threads = threads
    self.instructionSet = instructionSet
    let weights = try SafetensorsFile(path: bundle.weights.path)
    network = try Network(
      description: bundle.network, weights: weights, threads: threads,
      instructions: instructionSet)
  }

  /// Labels on the grid of the first channel.
  ///
  /// - Parameters:
  ///   - read: gives volumes on one grid, in the order the model was trained with; they are released
  ///     as soon as the network's input is made of them.
  ///   - purpose: what the labels are for.
  ///   - warnings: receives what is unusual about the input and the result.
  ///   - probabilities: receives the network's probabilities; nil where nobody wants them.
  ///   - times: receives the time of each stage.
  ///   - control: what stops it before its end, and where its state is kept.
  ///   - progress: called after each patch, on the segmenter's thread.
  /// - Throws: `InputRefusal` where the model was not made for the input, `CancellationError`
  ///   between passes of the network once the task is cancelled, ``SegmentationInterrupted`` where
  ///   `control` asks for it, what `read` throws, or the network's error.
  public func segment(
    reading read: @Sendable () throws -> [Volume], purpose: SegmentationPurpose = .result,
    warnings: ModelWarnings? = nil, probabilities: ModelProbabilities? = nil,
    times: StageTimes = StageTimes(),
    control: SegmentationControl = SegmentationControl(),
    progress: @Sendable (SegmentationProgress) -> Void = { _ in }
  ) throws -> LabelVolume {
    try segmentation(
      of: read, bundle: bundle, purpose: purpose, warnings: warnings, probabilities: probabilities,
      times: times, control: control, arithmetic: network.arithmetic,
      instructionSet: instructionSet,
      progress: progress
    ) { input, logits in
      try network.forward(input, logits: logits)
    }
  }

  /// As above, for volumes that somebody holds anyway.
  public func segment(
    _ channels: [Volume], warnings: ModelWarnings? = nil, times: StageTimes = StageTimes(),
    control: SegmentationControl = SegmentationControl(),
    progress: @Sendable (SegmentationProgress) -> Void = { _ in }
  ) throws -> LabelVolume {
    try segment(
      reading: { channels }, warnings: warnings, times: times, control: control,
      progress: progress)
  }
}

/// From volumes to labels, whatever computes the patches. `arithmetic` is what the last digits of the patches depend on,
/// `instructionSet` that of the sums of probabilities; nil for the fastest of this machine.
func segmentation(
  of read: () throws -> [Volume], bundle: ModelBundle, purpose: SegmentationPurpose = .result,
  warnings: ModelWarnings? = nil, probabilities: ModelProbabilities? = nil,
  times: StageTimes = StageTimes(),
  control: SegmentationControl = SegmentationControl(), arithmetic: String = "",
  instructionSet: InstructionSet? = nil, progress: (SegmentationProgress) -> Void,
  forward: SlidingWindow.Forward
) throws -> LabelVolume {
  let plan: PreprocessingPlan
  var labels: LabelVolume
  do {
    try control.checkBefore()
    let image = try preprocessed(read, bundle, warnings, times, control)
    try control.checkBefore()
    plan = image.plan
    let throughPlane = bundle.inference.throughPlane
    if let note = plan.note(throughPlane) { warnings?.add(note) }
    var window = SlidingWindow(bundle, purpose)
    window.instructionSet = instructionSet
    let subject =
      probabilities == nil
      ? control.checkpoints.map {
        PredictionSubject($0, bundle, window, image.plan, arithmetic: arithmetic)
      } : nil
    labels = try predictedLabels(
      image, window, throughPlane, times, probabilities: probabilities,
      keeper: PredictionKeeper(control, subject),
      progress: progress, forward: forward)
  }
  let voxelVolume = plan.grid.spacing.reduce(1, *)
  try times.measure(.postprocessing) {
    let largestParts = bundle.largestParts(of: labels)
    for rule in bundle.postprocessing {
      rule.apply(&labels.labels, shape: plan.grid.shape, voxelVolume: voxelVolume)
    }
    let unusual = try bundle.warnings(of: labels, largestParts: largestParts)
    warnings?.add(unusual)
  }
  return labels
}

/// Apart, so that the volumes are gone once the network's input is made.
private func preprocessed(
  _ read: () throws -> [Volume], _ bundle: ModelBundle, _ warnings: ModelWarnings?,
  _ times: StageTimes, _ control: SegmentationControl
) throws -> PreprocessedImage {
  let channels = try times.measure(.decoding) { try read() }
  try control.checkBefore()
  return try times.measure(.preprocessing) {
    try checkVoxels(channels, expected: bundle.network.inputChannels)
    let plan = try PreprocessingPlan(bundle.preprocessing, grid: channels[0].grid)
    try bundle.input.check(plan.turnedGrid)
    let unusual = try bundle.input.check(intensitiesOf: channels, plan.reorientation)
    warnings?.add(unusual)
    return try bundle.preprocessing.apply(channels)
  }
}

extension SlidingWindow {
  init(_ bundle: ModelBundle, _ purpose: SegmentationPurpose = .result) {
    self.init(
      patch: bundle.network.patch, channels: bundle.network.inputChannels,
      classes: bundle.network.classes, step: bundle.inference.step,
      mirrorAxes: bundle.inference.mirrorAxes(for: purpose))
  }
}
