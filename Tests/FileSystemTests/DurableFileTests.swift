import Foundation
import TestSupport
import Testing

@testable import FileSystem

@Suite struct DurableFileTests {
  private let folder: TemporaryFolder
  private var file: String { folder.url.appendingPathComponent("a.bin").path }
  private var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.url.path)) ?? []).sorted()
  }

  init() throws { folder = try TemporaryFolder() }

  private func fill(_ path: String, _ text: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  }

  private func text() throws -> String { try String(contentsOfFile: file, encoding: .utf8) }

  @Test func anOlderFileIsReplacedOnceTheNewOneIsWhole() throws {
    try DurableFile.write(to: file) { try fill($0, "first") }
    try DurableFile.write(to: file) { temporary in
      #expect((try? text()) == "first")
      try fill(temporary, "second")
    }
    #expect(try text() == "second")
    #expect(names == ["a.bin"])
  }

  @Test func onlyTheOwnerCanReadIt() throws {
    try DurableFile.write(to: file) { path in
      try FileHandle(forWritingTo: URL(fileURLWithPath: path)).write(contentsOf: Data("text".utf8))
    }
    let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    #expect(mode == 0o600)
  }

  @Test func whatFailsLeavesTheOlderFileAndNothingElse() throws {
    try DurableFile.write(to: file) { try fill($0, "first") }
    #expect(throws: DurableFileError(file: file, reason: "no more ink")) {
      try DurableFile.write(to: file) { _ in throw WritingFault("no more ink") }
    }
    #expect(try text() == "first")
    #expect(names == ["a.bin"])
  }

  /// Of a library that says only that it failed; the fault has passed when it is asked about.
  @Test func aFaultOfTheDiskThatPassesIsNamed() throws {
    let error = DurableFileError(
      file: file, reason: "Input/output error", system: SystemError(EIO))
    #expect(throws: error) {
      try DurableFile.write(to: file) { _ in
        try WritingFault.check {
          errno = EIO
          return "write error"
        }
      }
    }
    #expect(throws: DurableFileError(file: file, reason: "bad image")) {
      try DurableFile.write(to: file) { _ in
        try WritingFault.check {
          errno = EINVAL
          return "bad image"
        }
      }
    }
    try WritingFault.check { nil }
    #expect(names == [])
  }

  @Test func aFolderThatIsNotThereIsNamedWithTheErrorOfTheSystem() {
    let path = folder.url.path + "/none/a.bin"
    let error = DurableFileError(
      file: path, reason: "No such file or directory", system: SystemError(ENOENT))
    #expect(throws: error) { try DurableFile.write(to: path) { _ in } }
    #expect(throws: error) { try DurableFile.move(folder.url.path + "/b", to: path) }
    #expect(throws: error) { try DurableFile.sync(path) }
    #expect(error.description == "\(path): cannot be written: No such file or directory")
  }

  @Test func filesAndFoldersGetTheirFinalName() throws {
    let temporary = folder.url.appendingPathComponent("b.part").path
    try fill(temporary, "moved")
    try DurableFile.move(temporary, to: file)
    #expect(try text() == "moved")
    let made = folder.url.appendingPathComponent(".made").path
    try FileManager.default.createDirectory(atPath: made, withIntermediateDirectories: false)
    try DurableFile.move(made, to: folder.url.appendingPathComponent("made").path)
    #expect(names == ["a.bin", "made"])
  }
}
