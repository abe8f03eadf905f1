import Volumes

extension Resampling {
  /// From the network's grid back to the image's.
  func back(_ throughPlane: ThroughPlaneInterpolation) -> Resampling {
    switch throughPlane {
    case .nearest: inverse
    case .linear: Resampling(shape: newShape, newShape: shape, separateAxis: nil)
    }
  }

  /// How many slices of the image have the same nearest slice of the network as the slice before;
  /// 0 where all three axes are interpolated.
  var repeatedSlices: Int {
    guard let separateAxis else { return 0 }
    let nearest = inverse.linearTaps(axis: separateAxis).below
    return zip(nearest, nearest.dropFirst()).count { $0 == $1 }
  }
}

/// How a result was made, where its reader should know and nothing is wrong with it.
public enum ModelNote: Sendable, Equatable, CustomStringConvertible {
  /// The network's slices are further apart than the image's, both in mm; `repeated` of the image's
  /// slices share the nearest slice of the network with the slice before.
  case throughPlane(
    ThroughPlaneInterpolation, networkSpacing: Double, imageSpacing: Double, repeated: Int,
    slices: Int)

  public var description: String {
    switch self {
    case .throughPlane(.nearest, let network, let image, let repeated, let slices):
      "the network's slices are \(rounded(network)) mm apart, the image's \(rounded(image)) mm: each "
        + "image slice has the labels of the nearest network slice, and \(repeated) of \(slices) "
        + "repeat those of the slice before; --through-plane linear, or inference.throughPlane: "
        + "linear in model.yaml, interpolates between slices"
    case .throughPlane(.linear, let network, let image, _, _):
      "the network's slices are \(rounded(network)) mm apart, the image's \(rounded(image)) mm: "
        + "probabilities were interpolated linearly between slices (throughPlane: linear); the "
        + "reference implementation takes the nearest slice"
    }
  }
}

extension PreprocessingPlan {
  /// nil where no slice of the image repeats another one by the nearest slice.
  func note(_ throughPlane: ThroughPlaneInterpolation) -> ModelNote? {
    guard let axis = resampling.separateAxis else { return nil }
    let repeated = resampling.repeatedSlices
    guard repeated > 0 else { return nil }
    return .throughPlane(
      throughPlane, networkSpacing: targetSpacing[axis], imageSpacing: turnedGrid.spacing[axis],
      repeated: repeated, slices: resampling.shape[axis])
  }
}
