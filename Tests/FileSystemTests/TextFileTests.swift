import FileSystem
import Foundation
import TestSupport
import Testing

/// What is wrong with a file is said in the words of the system.
@Suite struct TextFileTests {
  private func fault(_ path: String) -> String? {
    do {
      _ = try TextFile.read(path)
      return nil
    } catch { return error.description }
  }

  @Test func whatCannotBeReadSaysWhy() throws {
    let folder = try TemporaryFolder()
    #expect(fault(folder.url.path + "/none") == "No such file or directory")
    #expect(fault(folder.url.path) == "Is a directory")
    let file = folder.url.appendingPathComponent("file")
    try Data([0x80, 0xFF]).write(to: file)
    #expect(fault(file.path) == "not text in UTF-8")
    #expect(fault(file.path + "/below") == "Not a directory")
    try Data("Grüße".utf8).write(to: file)
    #expect(try TextFile.read(file.path) == "Grüße")
  }

  /// Errors of Foundation, of which some say nothing themselves.
  @Test func errorsOfFoundationAreTranslated() throws {
    let folder = try TemporaryFolder()
    for (path, words) in [
      (folder.url.path, "Is a directory"), (folder.url.path + "/none", "No such file or directory"),
    ] {
      do {
        _ = try Data(contentsOf: URL(fileURLWithPath: path))
        Issue.record("\(path) was read")
      } catch { #expect(SystemError.text(of: error) == words) }
    }
  }
}
