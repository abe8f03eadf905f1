import DICOM

/// Why no object of a segmentation, or report on one, can be written.
public enum SegmentationError: ResultError, Equatable, Sendable {
  /// The label volume is not on the grid of the source images.
  case gridsDiffer(reason: String)
  /// Voxels have a label that no segment describes.
  case unknownLabel(value: UInt8)
  /// A segment's description cannot be written.
  case invalidSegment(name: String, reason: String)
  /// The source's identity cannot be carried over.
  case uncopied(UncopiedAttribute)
  case invalidIdentifier(uid: String)
  /// A kind of object cannot express the result; others can.
  case inexpressible(reason: String)
  case dicom(DICOMError)

  public var description: String {
    switch self {
    case .gridsDiffer(let reason): "labels and source images differ: \(reason)"
    case .unknownLabel(let value): "label \(value) is not described by any segment"
    case .invalidSegment(let name, let reason): "segment \"\(name)\": \(reason)"
    case .uncopied(let attribute): attribute.description
    case .invalidIdentifier(let uid): "\"\(uid)\" is not a DICOM UID"
    case .inexpressible(let reason): reason
    case .dicom(let error): error.description
    }
  }

  public var isSourceFault: Bool {
    switch self {
    case .uncopied: true
    default: false
    }
  }
}
