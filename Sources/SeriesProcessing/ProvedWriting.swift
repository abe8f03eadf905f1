import DICOM
import FileSystem
import Foundation
import Results
import Segmentation
import SeriesReading

extension ResultObject {
  /// Writes the object under a temporary name next to `file`, proves it, and renames it: under its
  /// final name there is only a proved object.
  ///
  /// - Parameters:
  ///   - file: where the proved object belongs; an older file there is replaced.
  ///   - times: receives the time of writing and of the proof.
  /// - Returns: SHA-256 of the file as it was proved, as 64 hexadecimal digits; nil where
  ///   nothing was found, and no file is written.
  /// - Throws: a ``ResultError`` of writing, ``ProofError``, or `DICOMError` where the file cannot be
  ///   renamed; nothing is left in the folder then.
  func writeProved(to file: URL, times: StageTimes) throws -> String? {
    let unproved = file.appendingPathExtension("unproved")
    let outcome = try times.measure(.writing) { try write(to: unproved.path) }
    guard outcome == .written else { return nil }
    do {
      let sha256 = try times.measure(.proof) {
        let sha256 = try hexadecimalSHA256(ofFile: unproved)
        try prove(unproved.path)
        return sha256
      }
      do throws(DurableFileError) {
        try DurableFile.move(unproved.path, to: file.path)
      } catch {
        throw DICOMError(error)
      }
      return sha256
    } catch {
      try? FileManager.default.removeItem(at: unproved)
      throw error
    }
  }
}

extension ProofError {
  /// Whether another attempt would fail too: the object, or a file it is compared with, is wrong.
  /// A file that cannot be read at present, as on a disk that is gone, is no such fault, nor is a bundle that was
  /// replaced while it was used.
  var isPermanent: Bool {
    switch self {
    case .unreadable(let error): error.isFileFault
    case .modelUnreadable, .modelChanged: false
    case .differs, .voxels: true
    }
  }
}
