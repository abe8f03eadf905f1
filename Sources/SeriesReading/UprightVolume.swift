import DICOM
import GeometryGate
import Volumes

/// A volume as a network takes it: upright and regular, whatever its source planes are.
public struct UprightVolume: Sendable {
  public let stack: SliceStack
  private let resampling: UprightResampling?

  /// - Parameters:
  ///   - stack: the source images.
  ///   - geometry: says from which tilt on a volume is resampled.
  public init(_ stack: SliceStack, geometry: GeometryRules) {
    self.stack = stack
    resampling = UprightResampling(stack, maximumTilt: geometry.maximumTilt)
  }

  /// Whether the source planes are another grid.
  public var isResampled: Bool { resampling != nil }

  /// The grid of what ``read()`` gives.
  public var grid: VolumeGrid { resampling?.grid ?? stack.grid }

  /// Bytes for each voxel as they are kept, or more.
  public var bytesPerVoxel: Int {
    resampling == nil ? stack.bytesPerVoxel : 4 + stack.bytesPerVoxel
  }

  /// - Throws: `DICOMError`, or `GeometryFinding` where the values cannot be what they say.
  public func read() throws -> Volume {
    let volume = try SourceSeries.pixels(of: stack)
    guard let resampling else { return volume }
    return resampling.apply(volume, outside: stack.frames.first?.modality == "CT" ? -1024 : 0)
  }

  /// Labels of ``grid`` on the source planes, one slice for each frame of the stack.
  public func sourceLabels(_ labels: LabelVolume) -> LabelVolume {
    resampling?.sourceLabels(labels) ?? labels
  }

  /// Probabilities of ``grid`` on the source planes, as the labels.
  public func sourceProbabilities(_ probabilities: ProbabilityVolume) -> ProbabilityVolume {
    resampling?.sourceProbabilities(probabilities) ?? probabilities
  }
}

extension SliceStack {
  /// Bytes for each voxel as `PixelReader` will keep them, or more.
  fileprivate var bytesPerVoxel: Int {
    let isWhole = frames.allSatisfy { frame in
      if frame.hasModalityLUT { return false }
      let (slope, intercept) = (frame.rescaleSlope ?? 1, frame.rescaleIntercept ?? 0)
      let most = abs(slope) * Double(1 << min(frame.bitsStored, 30)) + abs(intercept)
      return slope == slope.rounded() && intercept == intercept.rounded() && most < 32_768
    }
    return isWhole ? 2 : 4
  }
}
