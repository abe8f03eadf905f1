import GeometryGate
import Volumes

/// A volume as a network can be shown it: upright and regular, whatever its source planes are.
struct NetworkInput: Sendable {
  let stack: SliceStack
  private let resampling: UprightResampling?

  init(_ stack: SliceStack, geometry: GeometryRules = GeometryRules()) {
    self.stack = stack
    resampling = UprightResampling(stack, maximumTilt: geometry.maximumTilt)
  }

  /// The grid of what ``read()`` gives.
  var grid: VolumeGrid { resampling?.grid ?? stack.grid }

  /// Bytes for each voxel as they are kept, or more.
  var bytesPerVoxel: Int { resampling == nil ? stack.bytesPerVoxel : 4 + stack.bytesPerVoxel }

  /// - Throws: `DICOMError`, or `GeometryFinding` where the values cannot be what they say.
  func read() throws -> Volume {
    let volume = try SourceSeries.pixels(of: stack)
    guard let resampling else { return volume }
    return resampling.apply(volume, outside: stack.frames.first?.modality == "CT" ? -1024 : 0)
  }

  /// Labels of ``grid`` on the source planes, one slice for each frame of the stack.
  func sourceLabels(_ labels: LabelVolume) -> LabelVolume {
    resampling?.sourceLabels(labels) ?? labels
  }
}
