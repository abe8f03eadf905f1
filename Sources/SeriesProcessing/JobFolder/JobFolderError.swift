import FileSystem
import Foundation

/// Why a job's folder, or a result in it, is not used.
public enum JobFolderError: Error, Sendable, Equatable, CustomStringConvertible {
  case unreadable(file: String, reason: String, system: SystemError? = nil)
  case notWritten(file: String, reason: String, system: SystemError?)
  /// It was made by a program that is not this one.
  case otherSchema(file: String, schema: Int)
  case otherProgram(file: String, wanted: String, here: String)
  /// It gives the results of the same version, and is another build of it.
  case otherBuild(file: String, wanted: String, here: String)
  /// A program of another version asks for it.
  case unknownInstructionSet(file: String, name: String)
  case otherModel(name: String, wanted: String, here: String)
  /// All that was compared is the same, and still the result would be another one.
  case otherFingerprint(file: String, wanted: String, here: String)
  /// The Series Instance UID that the result would have is not the one that is expected.
  case otherResultUID(file: String, wanted: String, here: String)
  case damagedInput(file: String, wanted: String, found: String)
  /// A path that leads out of the folder, or to what is no file of it.
  case forbiddenPath(file: String, path: String)
  case damagedResult(file: String, reason: String)

  public var description: String {
    switch self {
    case .unreadable(let file, let reason, _): "\(file) cannot be read: \(reason)"
    case .notWritten(let file, let reason, _): "\(file) cannot be written: \(reason)"
    case .otherSchema(let file, let schema):
      "\(file) has schema \(schema), and this segmentd knows \(JobDescription.currentSchema): install "
        + "the same version of segmentd on the head and on the nodes"
    case .otherProgram(let file, let wanted, let here):
      "\(file) asks for the results of segmentd \(wanted), and this one gives those of \(here): install "
        + "the same version of segmentd on the head and on the nodes"
    case .otherBuild(let file, let wanted, let here):
      "\(file) asks for the head's build of segmentd, \(wanted), and this one is \(here), whose results may differ in "
        + "their bytes: install the head's program on the nodes, or set slurm.sameProgram to false"
    case .unknownInstructionSet(let file, let name):
      "\(file) asks for the instruction set \(name), which this segmentd does not know: install "
        + "the same version of segmentd on the head and on the nodes"
    case .otherModel(let name, let wanted, let here):
      "the model \"\(name)\" has SHA-256 \(here) on this node, and \(wanted) on the head: copy the same "
        + "bundle to both"
    case .otherFingerprint(let file, let wanted, let here):
      "\(file): the result would have the fingerprint \(here) in place of \(wanted)"
    case .otherResultUID(let file, let wanted, let here):
      "\(file): the result would have the Series Instance UID \(here) in place of \(wanted): install the same version "
        + "of segmentd on the head and on the nodes"
    case .damagedInput(let file, let wanted, let found):
      "\(file) has SHA-256 \(found) in place of \(wanted)"
    case .forbiddenPath(let file, let path):
      "\(file): \"\(path)\" is no file of the job's folder"
    case .damagedResult(let file, let reason): "\(file): \(reason)"
    }
  }

  /// Whether a machine with the right program and the right model would not say so.
  public var isRefusal: Bool {
    switch self {
    case .otherSchema, .otherProgram, .otherBuild, .unknownInstructionSet, .otherModel,
      .otherFingerprint, .otherResultUID:
      true
    case .unreadable, .notWritten, .damagedInput, .damagedResult, .forbiddenPath: false
    }
  }

  /// Whether another attempt on the same node would end in the same way.
  public var isPermanent: Bool {
    switch self {
    case .otherSchema, .otherProgram, .otherBuild, .unknownInstructionSet, .otherModel,
      .otherFingerprint, .otherResultUID, .forbiddenPath:
      true
    case .unreadable, .notWritten, .damagedInput, .damagedResult: false
    }
  }
}

extension JobFolderError {
  /// A file that cannot be read, for an error of Foundation or of the system.
  static func unreadable(_ file: URL, _ error: any Error) -> JobFolderError {
    .unreadable(
      file: file.path, reason: SystemError.text(of: error), system: SystemError(behind: error))
  }

  static func notWritten(_ place: URL, _ error: SystemError) -> JobFolderError {
    .notWritten(file: place.path, reason: error.description, system: error)
  }

  init(_ error: DurableFileError) {
    self = .notWritten(file: error.file, reason: error.reason, system: error.system)
  }
}
