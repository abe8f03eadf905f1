import FileSystem
import Foundation
import TestSupport
import Testing

@Suite struct FileStatusTests {
  @Test func linksAreFollowed() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("file")
    let link = folder.url.appendingPathComponent("link")
    try Data(count: 12_345).write(to: file)
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
    #expect(FileStatus(link.path)?.size == 12_345)
    #expect(FileStatus(link.path) == FileStatus(file.path))
    #expect(FileStatus(folder.url.path)?.isFolder == true)
    try FileManager.default.removeItem(at: file)
    #expect(FileStatus(link.path) == nil)
  }
}
