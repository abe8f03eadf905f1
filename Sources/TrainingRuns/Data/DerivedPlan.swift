import Foundation
import Segmentation
import Training
import UNETRPP
import Volumes

/// The preprocessing and the network that fit a data set, where its owner states none.
public struct DerivedPlan: Sendable, Equatable {
  public var preprocessing: Preprocessing
  public var network: NetworkDescription

  /// What the owner states, and what the machine allows.
  public struct Request: Sendable {
    /// Modalities (0008,0060) of the images: for CT alone intensities have a meaning of their own.
    public var modalities: [String]
    public var channels: Int
    /// Background included.
    public var classes: Int
    /// As of `Preprocessing`; that of `preprocessing` where it is stated.
    public var orientation: [PatientDirection]
    /// Stated by the owner: the network is then made for its spacing.
    public var preprocessing: Preprocessing?
    /// Transformer blocks of each stage: the published networks have 3.
    public var depth: Int
    /// Voxels of the patch at most.
    public var patchVoxels: Int
    /// What a training may take, with as many samples a step and threads; nil for any.
    public var memory: Memory?

    public struct Memory: Sendable {
      public var bytes: Int
      public var batch: Int
      public var threads: Int

      public init(bytes: Int, batch: Int, threads: Int) {
        self.bytes = bytes
        self.batch = batch
        self.threads = threads
      }
    }

    public init(
      modalities: [String], channels: Int, classes: Int, orientation: [PatientDirection] = [],
      preprocessing: Preprocessing? = nil, depth: Int = 1, patchVoxels: Int = 1 << 19,
      memory: Memory? = nil
    ) {
      self.modalities = modalities
      self.channels = channels
      self.classes = classes
      self.orientation = preprocessing?.orientation ?? orientation
      self.preprocessing = preprocessing
      self.depth = depth
      self.patchVoxels = patchVoxels
      self.memory = memory
    }
  }

  /// Derives a plan in nnU-Net's manner (Isensee et al., Nature Methods 18, 2021; its version 1).
  ///
  /// - The axis of the largest median spacing comes first.
  /// - Spacing: the median of the cases along each axis. Where it is more than three times the others'
  ///   along the first axis, with a third of their voxels, the 10th percentile there, but not below
  ///   the others'.
  /// - Intensities: CT is clipped to the percentiles 0.5 and 99.5 of the labelled voxels and divided
  ///   by their standard deviation; all else has mean 0 and deviation 1 by itself, within the nonzero
  ///   mask where cropping to it takes a quarter or more away.
  /// - Stem: stride 4, along axes of thick voxels less so that the tokens are about as long as wide;
  ///   halved for small volumes.
  /// - Patch: the median volume in multiples of eight strides, reduced where it has too many voxels or
  ///   its training takes too much memory, along the axis of which it then still shows the largest part.
  ///
  /// - Throws: ``TrainingDataErrors`` where the fingerprint has no case.
  public init(_ fingerprint: DataFingerprint, _ request: Request) throws(TrainingDataErrors) {
    guard !fingerprint.cases.isEmpty else { throw TrainingDataErrors(errors: [.noCases]) }
    let transpose = request.preprocessing?.transpose ?? Self.transpose(fingerprint)
    let spacing = request.preprocessing?.spacing ?? Self.spacing(fingerprint, transpose)
    let shape = Self.medianShape(fingerprint, transpose, spacing)
    let stem = Self.stem(spacing, shape)
    preprocessing =
      request.preprocessing
      ?? Preprocessing(
        orientation: request.orientation, transpose: transpose, spacing: spacing,
        cropToNonzero: true, normalization: Self.normalization(fingerprint, request))
    let patch = Self.patch(shape, unit: stem.map { 8 * $0 }) { patch in
      Self.fits(Self.network(patch, stem: stem, request), request)
    }
    network = Self.network(patch, stem: stem, request)
  }

  private static func network(
    _ patch: [Int], stem: [Int], _ request: Request
  ) -> NetworkDescription {
    let tokens = zip(patch, stem).reduce(1) { $0 * ($1.0 / $1.1) }
    let encoder = (0..<4).map { stage in
      min(stage == 3 ? 32 : 64, max(1, tokens >> (3 * stage)))
    }
    return NetworkDescription(
      blocks: stem[0] < stem[2] ? .acdc : .synapse, patch: patch,
      inputChannels: request.channels, classes: request.classes, stem: stem,
      depths: [Int](repeating: request.depth, count: 4),
      decoderDepths: [Int](repeating: request.depth, count: 3), projections: encoder,
      decoderProjections: [encoder[2], encoder[1], encoder[0]])
  }

  private static func fits(_ network: NetworkDescription, _ request: Request) -> Bool {
    guard network.patch.reduce(1, *) <= request.patchVoxels else { return false }
    guard let memory = request.memory else { return true }
    let bytes = try? TrainableNetwork.bytes(
      description: network, batch: memory.batch, threads: memory.threads, deepSupervision: true)
    return (bytes ?? .max) <= memory.bytes
  }

  static func transpose(_ fingerprint: DataFingerprint) -> [Int] {
    let median = medians(fingerprint.cases.map(\.spacing))
    let first = (0..<3).max { median[$0] < median[$1] } ?? 0
    return [first] + (0..<3).filter { $0 != first }
  }

  static func spacing(_ fingerprint: DataFingerprint, _ transpose: [Int]) -> [Double] {
    let spacings = fingerprint.cases.map { item in transpose.map { item.spacing[$0] } }
    var target = medians(spacings)
    let shape = medianShape(fingerprint, transpose, target)
    let others = max(target[1], target[2])
    if target[0] > 3 * others, shape[0] * 3 < min(shape[1], shape[2]) {
      let tenth = percentile(spacings.map { $0[0] }.sorted(), 0.1)
      target[0] = max(tenth, others)
    }
    return target
  }

  /// Voxels of the median volume at a spacing.
  static func medianShape(
    _ fingerprint: DataFingerprint, _ transpose: [Int], _ spacing: [Double]
  ) -> [Int] {
    let shapes = fingerprint.cases.map { item in
      (0..<3).map { axis in
        (Double(item.shape[transpose[axis]]) * item.spacing[transpose[axis]] / spacing[axis])
          .rounded()
      }
    }
    return medians(shapes).map { max(1, Int($0.rounded())) }
  }

  private static func medians(_ values: [[Double]]) -> [Double] {
    (0..<3).map { axis in percentile(values.map { $0[axis] }.sorted(), 0.5) }
  }

  static func stem(_ spacing: [Double], _ shape: [Int]) -> [Int] {
    let least = spacing.min() ?? 1
    let isSmall = shape.contains { $0 < 64 } && shape.reduce(1, *) < 1 << 18
    return spacing.map { value in
      let stride = value >= 2.83 * least ? 1 : value >= 1.41 * least ? 2 : 4
      return isSmall ? max(1, stride / 2) : stride
    }
  }

  /// - Parameters:
  ///   - shape: of the median volume.
  ///   - unit: of which the patch is a multiple.
  ///   - fits: whether a patch is small enough.
  static func patch(_ shape: [Int], unit: [Int], fits: ([Int]) -> Bool) -> [Int] {
    var patch = zip(shape, unit).map { max(1, ($0 + $1 - 1) / $1) * $1 }
    while !fits(patch) {
      let reducible = (0..<3).filter { patch[$0] > unit[$0] }
      func left(_ axis: Int) -> Double {
        Double(patch[axis] - unit[axis]) / Double(shape[axis])
      }
      let largest = reducible.max { (left($0), patch[$0]) < (left($1), patch[$1]) }
      guard let axis = largest else { break }
      patch[axis] -= unit[axis]
    }
    return patch
  }

  private static func normalization(
    _ fingerprint: DataFingerprint, _ request: Request
  ) -> [Normalization] {
    let median = percentile(fingerprint.cases.map(\.boxShare).sorted(), 0.5)
    let isCT = !request.modalities.isEmpty && request.modalities.allSatisfy { $0 == "CT" }
    return (0..<request.channels).map { channel in
      guard isCT, channel < fingerprint.intensities.count else {
        return .zscore(insideMask: median < 0.75)
      }
      let found = fingerprint.intensities[channel]
      return .ct(
        lower: Float(found.lower), upper: Float(max(found.upper, found.lower + 1)),
        mean: Float(found.mean), sd: Float(max(found.sd, 1e-3)))
    }
  }
}
