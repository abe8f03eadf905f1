import FileSystem
import Foundation

/// The case that comes with a model: a series, and the hash of the labels that the model is known to give for it.
/// It is in the bundle's folder `golden`: the images in `golden/series`, the hash in the first line of
/// `golden/labels.sha256`.
public struct GoldenCase: Sendable, Equatable {
  /// DICOM files of one series, sorted by name.
  public var files: [URL]
  /// `LabelHash` of the result; nil where none is recorded yet.
  public var labelHash: String?

  /// Whether a model has a case, sound or not.
  public static func exists(inBundle bundle: URL) -> Bool {
    FileManager.default.fileExists(atPath: bundle.appendingPathComponent("golden").path)
  }

  /// - Parameter bundle: the folder of a model.
  /// - Returns: nil for a model without a case.
  /// - Throws: ``GoldenCaseError``
  public init?(ofBundle bundle: URL) throws(GoldenCaseError) {
    guard Self.exists(inBundle: bundle) else { return nil }
    let folder = bundle.appendingPathComponent("golden")
    let series = folder.appendingPathComponent("series")
    let found: [URL]
    do {
      found = try FileManager.default.contentsOfDirectory(
        at: series, includingPropertiesForKeys: nil, options: .skipsHiddenFiles)
    } catch {
      throw .unreadable(path: series.path, reason: SystemError.text(of: error))
    }
    files = found.sorted { $0.lastPathComponent < $1.lastPathComponent }
    guard !files.isEmpty else { throw .unreadable(path: series.path, reason: "it has no files") }
    let file = folder.appendingPathComponent("labels.sha256").path
    guard FileManager.default.fileExists(atPath: file) else { return }
    let text: String
    do { text = try TextFile.read(file) } catch {
      throw .unreadable(path: file, reason: error.description)
    }
    let line = text.split(separator: "\n").first.map(String.init) ?? ""
    guard line.count == 64, line.allSatisfy({ "0123456789abcdef".contains($0) }) else {
      throw .unreadable(path: file, reason: "its first line is not 64 hexadecimal digits")
    }
    labelHash = line
  }
}

/// Why the case of a model cannot be used.
public enum GoldenCaseError: Error, Equatable, CustomStringConvertible {
  case unreadable(path: String, reason: String)

  public var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): \(reason)"
    }
  }
}
