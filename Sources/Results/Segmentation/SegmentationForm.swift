/// How a segmentation object stores which pixels are of which segment: Segmentation Type (0062,0001)
/// (PS3.3 C.8.20.2.3).
public enum SegmentationForm: Sendable, Equatable {
  /// Frames of one segment each, a bit for each pixel. Segments may overlap.
  case binary
  /// Frames of all segments, a byte for each pixel, which is the number of its segment, and 0 for the
  /// background (Supplement 243). Segments cannot overlap.
  case labelMap

  var sopClassUID: String {
    switch self {
    case .binary: SegmentationStorage.sopClassUID
    case .labelMap: SegmentationStorage.labelMapSOPClassUID
    }
  }

  /// What the series is called, next to the model.
  var seriesSuffix: String { self == .binary ? "" : " label map" }
}
