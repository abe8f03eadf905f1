import Foundation

/// The folders that `--models` names.
///
/// - Parameter paths: as they were given.
/// - Throws: ``ModelsFolderError`` where one is not there: a model would seem to be unknown.
func foldersOfModels(_ paths: [String]) throws -> [URL] {
  try paths.map { path in
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
    else { throw ModelsFolderError(path: path) }
    return URL(fileURLWithPath: path)
  }
}

/// A folder of models that is not there.
struct ModelsFolderError: Error, CustomStringConvertible {
  var path: String

  var description: String { "--models: \(path) is not a folder" }
}
