import DICOM

extension DICOMError {
  /// Whether the file itself is at fault, and not our disk or installation, which may recover.
  public var isFileFault: Bool {
    switch self {
    case .cannotRead, .cannotWrite, .noFile, .toolkitUnavailable: false
    default: true
    }
  }
}
