import Cryptography
import Evaluation
import FileSystem
import Foundation
import NIfTI

/// The cases of a run, by name.
struct RunCases {
  var files: [String: CaseFiles]
  /// Of which source each case is, by its number.
  private(set) var source: [String: Int] = [:]

  /// Puts the cases of all sources together.
  ///
  /// - Parameters:
  ///   - sources: folders of images and labels.
  ///   - laterWins: whether a case of a later source takes the place of one of the same name.
  /// - Throws: `CaseListError`, ``TrainingError/sameCase(name:first:second:)``.
  init(_ sources: [DataSource], laterWins: Bool = false) throws {
    files = [:]
    for (index, place) in sources.enumerated() {
      let found = try CaseFiles.match(
        images: URL(fileURLWithPath: place.images), labels: URL(fileURLWithPath: place.labels),
        names: nil)
      try CaseFiles.checkLabelsAreApart(found)
      for item in found {
        if let first = source[item.name], !laterWins {
          throw TrainingError.sameCase(
            name: item.name, first: sources[first].images, second: place.images)
        }
        files[item.name] = item
        source[item.name] = index
      }
    }
  }

  /// Channels of the first case: its files, or what its one NIfTI file holds; a DICOM series is one.
  func channelCount() throws -> Int {
    guard let first = names.first.flatMap({ files[$0] }), let image = first.images.first else {
      return 1
    }
    guard first.images.count == 1, NIfTIFile.isNamed(image.path) else { return first.images.count }
    return try NIfTIFile(path: image.path).volumeCount
  }

  /// In alphabetical order.
  var names: [String] { files.keys.sorted() }

  func named(_ names: [String]) -> [CaseFiles] { names.compactMap { files[$0] } }

  /// SHA-256 over the names of cases and their files' sizes: a run resumes only with the same data.
  func digest(_ names: [String]) -> String {
    var hash = SHA256()
    for item in named(names) {
      let sizes = (item.images + [item.labels]).map { "\(Self.bytes($0))" }
      hash.update(data: Data("\(item.name)\t\(sizes.joined(separator: "\t"))\n".utf8))
    }
    return hexadecimal(hash.finalize())
  }

  /// Of a file, or of all files within a folder.
  private static func bytes(_ url: URL) -> Int {
    guard let status = FileStatus(url.path), status.isFolder else {
      return FileStatus(url.path)?.size ?? 0
    }
    let items = FileManager.default.enumerator(atPath: url.path)?.compactMap { $0 as? String } ?? []
    return items.compactMap { FileStatus(url.appendingPathComponent($0).path) }
      .reduce(0) { $0 + ($1.isFolder ? 0 : $1.size) }
  }
}
