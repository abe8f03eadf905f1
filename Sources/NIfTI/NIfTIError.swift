/// Why a NIfTI file cannot be read or written. Every case names the file and the header's field.
public enum NIfTIError: Error, Sendable, Equatable, CustomStringConvertible {
  case cannotRead(path: String)
  /// The file does not begin with a NIfTI header; `reason` says what is there instead.
  case notNIfTI(path: String, reason: String)
  /// A header field has a value with which nothing can be done.
  case field(path: String, name: String, value: String, reason: String)
  /// The header promises more than the file can hold.
  case truncated(path: String, promisedBytes: Int, heldBytes: Int)
  /// The voxels cannot be read to their end: the file is cut off or its compression is damaged.
  case damagedVoxels(path: String)
  /// Neither qform_code nor sform_code says where the voxels are in the patient.
  case noOrientation(path: String)
  case severalVolumes(path: String, count: Int)
  /// A voxel of a label file is not a whole number from 0 to 255.
  case notALabel(path: String, value: Double, column: Int, row: Int, slice: Int)
  case cannotWrite(path: String, reason: String)

  public var description: String {
    switch self {
    case .cannotRead(let path): "\(path): cannot be opened"
    case .notNIfTI(let path, let reason): "\(path): is not a NIfTI file: \(reason)"
    case .field(let path, let name, let value, let reason):
      "\(path): the header field \(name) is \(value): \(reason)"
    case .truncated(let path, let promised, let held):
      "\(path): the header fields dim and datatype promise \(promised) bytes of voxels, "
        + "the file can hold \(held)"
    case .damagedVoxels(let path):
      "\(path): the voxels end early or their compression is damaged"
    case .noOrientation(let path):
      "\(path): the header fields qform_code and sform_code are both 0, so that nobody knows "
        + "where the voxels are in the patient"
    case .severalVolumes(let path, let count):
      "\(path): holds \(count) volumes (dim[4]), one was expected"
    case .notALabel(let path, let value, let column, let row, let slice):
      "\(path): voxel (\(column), \(row), \(slice)) is \(value), not a label from 0 to 255"
    case .cannotWrite(let path, let reason): "\(path): cannot be written: \(reason)"
    }
  }
}
