import DICOM
import Wording

/// Why a written object does not prove to be what it was made from.
public enum ProofError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file, or a source file that it is compared with, cannot be read as what it should be.
  case unreadable(DICOMError)
  /// An attribute differs from what the source or the labels demand. The value is never shown.
  case differs(file: String, tag: Tag, frame: Int?, reason: String)
  /// The description of the model in its bundle cannot be read now.
  case modelUnreadable(path: String, reason: String)
  /// The description of the model in its bundle is not the one that the result was made with.
  case modelChanged(path: String, reason: String)
  /// A voxel differs; the first one in order z, y, x, and how many do.
  case voxels(
    file: String, slice: Int, row: Int, column: Int, written: UInt8, labels: UInt8, count: Int)

  /// What failed, without the path of the object.
  public var reason: String {
    switch self {
    case .unreadable(let error): "proof failed: \(error)"
    case .differs(_, let tag, let frame, let reason):
      "proof failed: \(tag)\(frame.map { " of frame \($0)" } ?? ""): \(reason)"
    case .modelUnreadable(let path, let reason): "proof failed: \(path): cannot be read: \(reason)"
    case .modelChanged(let path, let reason): "proof failed: \(path): \(reason)"
    case .voxels(_, let slice, let row, let column, let written, let labels, let count):
      "proof failed: \(counted(count, "voxel differs", "voxels differ")), first slice \(slice) row \(row) column "
        + "\(column): \(written) written, \(labels) segmented"
    }
  }

  public var description: String {
    switch self {
    case .unreadable, .modelUnreadable, .modelChanged: reason
    case .differs(let file, _, _, _), .voxels(let file, _, _, _, _, _, _): "\(file): \(reason)"
    }
  }
}
