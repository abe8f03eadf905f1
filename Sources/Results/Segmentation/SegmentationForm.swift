/// How a segmentation object stores which pixels are of which segment: Segmentation Type (0062,0001)
/// (PS3.3 C.8.20.2.3).
public enum SegmentationForm: Sendable, Equatable {
  /// Frames of one segment each, a bit for each pixel. Segments may overlap.
  case binary
  /// Frames of all segments, a byte for each pixel, which is the number of its segment, and 0 for the
  /// background (Supplement 243). Segments cannot overlap.
  case labelMap
  /// Frames of one segment each, a byte for each pixel: how probable it is that the pixel is of the segment,
  /// from 0 to 255.
  case fractional

  /// Segmentation Type (0062,0001).
  var segmentationType: String {
    switch self {
    case .binary: "BINARY"
    case .labelMap: "LABELMAP"
    case .fractional: "FRACTIONAL"
    }
  }

  var sopClassUID: String {
    switch self {
    case .binary, .fractional: SegmentationStorage.sopClassUID
    case .labelMap: SegmentationStorage.labelMapSOPClassUID
    }
  }

  /// What the series is called behind the model.
  var seriesKind: String {
    switch self {
    case .binary: ""
    case .labelMap: "label map"
    case .fractional: "probabilities"
    }
  }
}
