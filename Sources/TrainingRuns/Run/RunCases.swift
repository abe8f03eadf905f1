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
  ///
  /// - Throws: ``TrainingError/unreadable(path:reason:)`` with the first file that cannot be read.
  func digest(_ names: [String]) throws(TrainingError) -> String {
    var hash = SHA256()
    do throws(UnreadableFile) {
      for item in named(names) {
        var contents: [String] = []
        for url in item.images + [item.labels] { contents.append(try Self.digest(of: url)) }
        hash.update(data: Data("\(item.name)\t\(contents.joined(separator: "\t"))\n".utf8))
      }
    } catch {
      throw .unreadable(path: error.path, reason: error.system.description)
    }
    return hexadecimal(hash.finalize())
  }

  /// Of a file, or of all files within a folder and their names.
  private static func digest(of url: URL) throws(UnreadableFile) -> String {
    let url = url.resolvingSymlinksInPath()
    guard FileStatus(url.path)?.isFolder == true else {
      return hexadecimal(try SHA256.hash(ofFile: url))
    }
    var hash = SHA256()
    for item in try files(in: url.path, "").sorted() {
      let digest = try digest(of: url.appendingPathComponent(item))
      hash.update(data: Data("\(item)\t\(digest)\n".utf8))
    }
    return hexadecimal(hash.finalize())
  }

  /// The files within a folder and the folders in it, by their paths from `prefix` on. Links to folders are not
  /// followed.
  private static func files(in folder: String, _ prefix: String) throws(UnreadableFile) -> [String]
  {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder)
    } catch {
      throw UnreadableFile(folder, SystemError(behind: error) ?? SystemError(EIO))
    }
    var files: [String] = []
    for name in names {
      let path = "\(folder)/\(name)"
      guard FileStatus(path)?.isFolder == true else {
        files.append(prefix + name)
        continue
      }
      var status = stat()
      guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { continue }
      files += try Self.files(in: path, "\(prefix)\(name)/")
    }
    return files
  }
}
