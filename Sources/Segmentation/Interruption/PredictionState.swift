/// A prediction between two passes of the network.
struct PredictionState {
  /// The pass that is next.
  var position: SlidingWindow.Position
  /// Whether every plane has become labels, so that no sums are left.
  var isFinished: Bool
  var planes: PlaneAccumulator.State
  var assembly: LabelAssembly.State
}

extension SlidingWindow {
  /// Which pass of the network is next.
  struct Position: Equatable, Codable {
    /// Index of the patch.
    var patch = 0
    /// Index of the mirroring among those of the patch.
    var pass = 0
  }
}

/// How far a prediction is.
struct PredictionProgress: Comparable {
  var position: SlidingWindow.Position
  var isFinished: Bool

  static func < (left: PredictionProgress, right: PredictionProgress) -> Bool {
    let key = { (progress: PredictionProgress) in
      (progress.isFinished ? 1 : 0, progress.position.patch, progress.position.pass)
    }
    return key(left) < key(right)
  }
}

/// What a prediction is about: the state of one cannot be used for another.
struct PredictionSubject: Codable, Equatable {
  var program: String
  var fingerprint: String
  /// SHA-256 of the model.
  var model: String
  var volume: String
  var patch: [Int]
  var channels: Int
  var classes: Int
  var step: Double
  var mirrorAxes: [Int]
  var throughPlane: String
  /// z, y, x of the network's input.
  var shape: [Int]
  /// z, y, x of the source's voxels, and the part of them that becomes the input (first, end).
  var sourceShape: [Int]
  var box: [[Int]]
  /// What the last digits of the sums depend on: on another processor they would not be continued, but mixed. Nil in
  /// what an older version wrote.
  var arithmetic: String?

  init(
    _ checkpoints: PredictionCheckpoints, _ bundle: ModelBundle, _ window: SlidingWindow,
    _ plan: PreprocessingPlan, arithmetic: String = ""
  ) {
    self.arithmetic = arithmetic
    program = checkpoints.program
    fingerprint = checkpoints.fingerprint
    model = bundle.sha256
    volume = checkpoints.volume
    patch = window.patch
    channels = window.channels
    classes = window.classes
    step = window.step
    mirrorAxes = window.mirrorAxes
    throughPlane = bundle.inference.throughPlane.rawValue
    shape = plan.resampling.newShape
    sourceShape = plan.grid.shape
    box = plan.box.map { [$0.lowerBound, $0.upperBound] }
  }
}
