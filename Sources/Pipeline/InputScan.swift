import DICOM
import Foundation

/// Finds the images in files and folders and sorts them by series.
public struct InputScan {
  /// Series in the order in which they were found.
  public private(set) var series: [SeriesFiles] = []
  /// Files that are no CT or MR image, each with its reason.
  public private(set) var refused: [IntakeError] = []

  /// Whether some file claims to be DICOM and cannot be read, so that a series may lack a slice.
  public var holdsDamagedImages: Bool {
    refused.contains { error in
      switch error {
      case .unreadable(let name, _), .notReadable(let name, _):
        // PS3.10 7.1: 128 bytes, then the letters DICM.
        let start = FileHandle(forReadingAtPath: name)?.readData(ofLength: 132)
        return start.map { $0.count == 132 && $0.suffix(4).elementsEqual("DICM".utf8) } ?? true
      default: return false
      }
    }
  }

  /// - Parameter takesEverything: sorts every DICOM file by its series UID, also one that no job
  ///   could be made of: over-anonymised, or of another kind than CT and MR images.
  /// - Throws: ``InputScanError`` when an input does not exist.
  public init(_ inputs: [String], takesEverything: Bool = false) throws(InputScanError) {
    var files: [String: [URL]] = [:]
    var order: [String] = []
    for input in inputs {
      for file in try Self.files(below: input) {
        do throws(IntakeError) {
          let uid =
            takesEverything
            ? try Self.anySeries(of: file)
            : try ImageIdentity.read(file.path, named: file.path).seriesInstanceUID
          if files[uid] == nil { order.append(uid) }
          files[uid, default: []].append(file)
        } catch {
          refused.append(error)
        }
      }
    }
    series = order.map { SeriesFiles(seriesInstanceUID: $0, files: files[$0] ?? []) }
  }

  private static func anySeries(of file: URL) throws(IntakeError) -> String {
    do {
      return try DICOMFile(path: file.path).dataset.text(.seriesInstanceUID) ?? ""
    } catch .cannotRead(_, let reason) {
      throw .notReadable(name: file.path, reason: reason)
    } catch {
      throw .unreadable(name: file.path, reason: error.description)
    }
  }

  private static func files(below input: String) throws(InputScanError) -> [URL] {
    let url = URL(fileURLWithPath: input)
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: input, isDirectory: &isFolder) else {
      throw .missing(path: input)
    }
    guard isFolder.boolValue else { return [url] }
    guard
      let walk = FileManager.default.enumerator(
        at: url, includingPropertiesForKeys: [.isRegularFileKey])
    else { throw .missing(path: input) }
    return walk.compactMap { $0 as? URL }
      .filter { (try? $0.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) == true }
      .sorted { $0.path < $1.path }
  }
}

/// An input that is not there.
public enum InputScanError: Error, CustomStringConvertible, Equatable {
  case missing(path: String)

  public var description: String {
    switch self {
    case .missing(let path): "\(path): there is no such file or folder"
    }
  }
}
