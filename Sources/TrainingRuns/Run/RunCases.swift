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

  init(files: [String: CaseFiles], source: [String: Int]) {
    self.files = files
    self.source = source
  }

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

  /// SHA-256 over the names of cases and what their files hold: a run resumes only with the same data,
  /// wherever they are.
  func digest(_ names: [String]) -> String {
    var hash = SHA256()
    for item in named(names) {
      let contents = (item.images + [item.labels]).map { Self.digest(of: $0) }
      hash.update(data: Data("\(item.name)\t\(contents.joined(separator: "\t"))\n".utf8))
    }
    return hexadecimal(hash.finalize())
  }

  /// Of a file, or of all files within a folder and their names. What cannot be read counts as empty: reading
  /// the case names it.
  private static func digest(of url: URL) -> String {
    var hash = SHA256()
    let url = url.resolvingSymlinksInPath()
    if FileStatus(url.path)?.isFolder == true {
      let items =
        FileManager.default.enumerator(atPath: url.path)?.compactMap { $0 as? String } ?? []
      for item in items.sorted() {
        let file = url.appendingPathComponent(item)
        guard FileStatus(file.path)?.isFolder == false else { continue }
        hash.update(data: Data("\(item)\t\(digest(of: file))\n".utf8))
      }
    } else if let data = try? Data(contentsOf: url, options: .mappedIfSafe) {
      hash.update(data: data)
    }
    return hexadecimal(hash.finalize())
  }
}
