import Volumes

/// A series whose images are all at one position.
struct SliceSeries {
  let index: Int
  let first: ImageFrame
  let frames: [ImageFrame]
  /// How many different images it has: the phases.
  let phases: Int

  init?(_ frames: [ImageFrame], index: Int, rules: GeometryRules) {
    guard let first = frames.first, frames.allSatisfy({ imageFindings($0, rules: rules).isEmpty }),
      let places = SlicePlaces(frames, rules: rules), places.frames.count == 1
    else { return nil }
    let isOne = frames.allSatisfy { frame in
      frame.studyInstanceUID == first.studyInstanceUID && frame.rows == first.rows
        && frame.columns == first.columns && !isNeverSlice(frame)
        && isUID(frame.seriesInstanceUID)
        && zip(frame.imageOrientation, first.imageOrientation).allSatisfy {
          abs($0 - $1) <= rules.orientationTolerance
        }
    }
    phases = Set(frames.map(FrameIdentity.init)).count
    guard isOne, phases > 1 else { return nil }
    self.index = index
    self.first = first
    self.frames = frames
  }

  func mayShareStack(with other: SliceSeries, _ rules: GeometryRules) -> Bool {
    first.studyInstanceUID == other.first.studyInstanceUID
      && first.patientID == other.first.patientID && first.modality == other.first.modality
      && zip(first.imageOrientation, other.first.imageOrientation).allSatisfy {
        abs($0 - $1) <= rules.orientationTolerance
      }
  }

  /// What all slices of a stack must share.
  var format: String {
    let spacing = first.pixelSpacing.map { formatted($0) }
    return "\(first.frameOfReferenceUID)/\(first.rows)/\(first.columns)/\(spacing)"
  }
}

private func isNeverSlice(_ frame: ImageFrame) -> Bool {
  frame.imageType.contains { ImageTypes.neverSlices.contains(trimmed($0).uppercased()) }
}

/// Whether the images are those of one slice location, measured several times: such a series may be a
/// slice of a stack of series.
public func isSliceLocation(_ frames: [ImageFrame], rules: GeometryRules) -> Bool {
  SliceSeries(frames, index: 0, rules: rules) != nil
}
