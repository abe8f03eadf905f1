import DICOM
import FileSystem
import Foundation
import Results
import Tensors

/// A fault of the machine that processes a series and not of the series: no space, a read-only file system, no file
/// descriptors, no memory, a disk that cannot be read, access denied, a processor without the instruction set that is
/// asked for. Another machine, or the same one later, comes to a result.
public struct ProcessingFault: Error, Sendable, Equatable, CustomStringConvertible {
  /// "no space left on device: /shared/segmentd/…/segmentation.dcm".
  public let description: String

  private init(description: String) { self.description = description }

  /// - Parameters:
  ///   - error: of the operating system.
  ///   - path: the file that it is about.
  public init(_ error: SystemError, path: String) {
    let text = error.description
    description = "\(text.prefix(1).lowercased())\(text.dropFirst()): \(path)"
  }

  /// - Returns: nil where the error is not known as a fault of the machine.
  public init?(_ error: any Error) {
    switch error {
    case let fault as ProcessingFault: self = fault
    // Another machine may have it.
    case let missing as MissingInstructionSet: self.init(description: missing.description)
    case let error as DICOMError: self.init(error)
    case SegmentationError.dicom(let error), ProofError.unreadable(let error): self.init(error)
    case JobFolderError.notWritten(let file, _, let system?): self.init(system, path: file)
    case JobFolderError.unreadable(let file, _, let system?):
      guard !Self.isMissingFile(system) else { return nil }
      self.init(system, path: file)
    default:
      if let fault = ModelFault(error) {
        self.init(description: fault.description)
        return
      }
      guard let system = SystemError(behind: error), !Self.isMissingFile(system) else {
        return nil
      }
      let path = (error as NSError).userInfo[NSFilePathErrorKey] as? String
      self.init(system, path: path ?? "unknown file")
    }
  }

  private init?(_ error: DICOMError) {
    switch error {
    case .cannotRead(let file, _, let system?):
      guard !Self.isMissingFile(system) else { return nil }
      self.init(system, path: file)
    case .cannotWrite(let file, _, let system?): self.init(system, path: file)
    case .toolkitUnavailable: self.init(description: error.description)
    default: return nil
    }
  }

  /// A file that is gone will not come back by itself.
  private static func isMissingFile(_ error: SystemError) -> Bool {
    [ENOENT, ENOTDIR].contains(error.number)
  }
}
