import Foundation
import TestSupport
import Testing

@testable import SeriesReading

@Suite struct FileListingTests {
  private let folder: TemporaryFolder
  private var root: URL { folder.url.appendingPathComponent("root") }

  init() throws {
    folder = try TemporaryFolder()
    for name in ["root/sub", "outside/deep"] {
      try FileManager.default.createDirectory(
        at: folder.url.appendingPathComponent(name), withIntermediateDirectories: true)
    }
    for name in ["root/b", "root/sub/a", "outside/c", "outside/deep/d"] {
      try Data("x".utf8).write(to: folder.url.appendingPathComponent(name))
    }
  }

  private func link(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: root.appendingPathComponent(name).path, withDestinationPath: target)
  }

  private func names(_ listing: FileListing) -> [String] {
    listing.files.map { $0.path.replacingOccurrences(of: root.path + "/", with: "") }
  }

  @Test func linksToFilesAndFoldersAreFollowed() throws {
    try link("file", to: "../outside/c")
    try link("folder", to: "../outside/deep")
    let listing = try FileListing(root.path)
    #expect(names(listing) == ["b", "file", "folder/d", "sub/a"])
    #expect(listing.passedOver.isEmpty)
  }

  /// Nothing is read twice, and a link to a folder above ends there.
  @Test func whatIsReadAlreadyIsPassedOver() throws {
    try link("again", to: "b")
    try link("loop", to: "..")
    try link("sub/up", to: "../../root")
    let hard = root.appendingPathComponent("z-hard").path
    try FileManager.default.linkItem(atPath: root.appendingPathComponent("b").path, toPath: hard)
    let listing = try FileListing(root.path)
    // The loop leads to the folder above, and from there to what is outside.
    #expect(names(listing) == ["b", "loop/outside/c", "loop/outside/deep/d", "sub/a"])
    let reasons = Set(listing.passedOver.map(\.reason))
    #expect(reasons == ["other names of what is read already"])
    #expect(listing.passedOver.count == 4, "\(listing.passedOver)")
  }

  @Test func whatIsNoFileIsNamed() throws {
    try link("broken", to: "/nowhere/at/all")
    try link("circle", to: "circle")
    #expect(mkfifo(root.appendingPathComponent("pipe").path, 0o600) == 0)
    let listing = try FileListing(root.path)
    #expect(names(listing) == ["b", "sub/a"])
    let found = Dictionary(
      uniqueKeysWithValues: listing.passedOver.map {
        (URL(fileURLWithPath: $0.path).lastPathComponent, $0.reason)
      })
    #expect(
      found == [
        "broken": "links to nothing", "circle": "links that lead in a circle",
        "pipe": "neither files nor folders",
      ])
  }

  @Test func anInputMayBeALinkOrIsNamedAsMissing() throws {
    try link("file", to: "../outside/c")
    #expect(try FileListing(root.appendingPathComponent("file").path).files.count == 1)
    #expect(throws: InputScanError.missing(path: "/nowhere")) { try FileListing("/nowhere") }
  }
}
