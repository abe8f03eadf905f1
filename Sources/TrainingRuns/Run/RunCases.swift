import Crypto
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
    func size(_ path: String) -> Int {
      (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder),
      isFolder.boolValue
    else { return size(url.path) }
    let items = FileManager.default.enumerator(atPath: url.path)?.compactMap { $0 as? String } ?? []
    return items.reduce(0) { $0 + size(url.appendingPathComponent($1).path) }
  }
}
