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
