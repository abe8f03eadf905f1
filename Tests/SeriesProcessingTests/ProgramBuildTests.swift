import Foundation
import TestSupport
import Testing

@testable import SeriesProcessing

/// Which build of a program a file is.
@Suite struct ProgramBuildTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func bytes(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  /// A program with one segment of notes, as elf(5) has it.
  private func program(_ notes: [UInt8], alignment: Int = 4, type: Int = 4) -> [UInt8] {
    var header: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1] + [UInt8](repeating: 0, count: 58)
    header.replaceSubrange(32..<40, with: bytes(64, 8))
    header.replaceSubrange(54..<56, with: bytes(56, 2))
    header.replaceSubrange(56..<58, with: bytes(1, 2))
    let segment =
      bytes(type, 4) + bytes(4, 4) + bytes(120, 8) + bytes(0, 16) + bytes(notes.count, 8)
      + bytes(notes.count, 8) + bytes(alignment, 8)
    return header + segment + notes
  }

  private func note(_ type: Int, _ name: String, _ content: [UInt8]) -> [UInt8] {
    let name = Array(name.utf8) + [0]
    func padded(_ bytes: [UInt8]) -> [UInt8] {
      bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    }
    return bytes(name.count, 4) + bytes(content.count, 4) + bytes(type, 4) + padded(name)
      + padded(content)
  }

  private func identity(_ content: [UInt8]) throws -> String {
    let file = folder.url.appendingPathComponent("program")
    try Data(content).write(to: file)
    return try ProgramBuild.identity(of: file)
  }

  @Test func theBuildIDIsRead() throws {
    let id = note(3, "GNU", [0xAB, 0x01, 0xFF])
    #expect(try identity(program(id)) == "build-id:ab01ff")
    #expect(try identity(program(note(1, "GNU", [1, 2, 3, 4, 5]) + id)) == "build-id:ab01ff")
  }

  /// Of what has none, or is cut short, the whole file counts.
  @Test func withoutABuildIDTheFileIsHashed() throws {
    let id = note(3, "GNU", [0xAB, 0x01, 0xFF, 0])
    let contents: [[UInt8]] = [
      Array("#!/bin/sh\n".utf8), program(note(3, "Go", [1])), program(id, type: 1),
      program(Array(id.dropLast())), Array(program(id).dropLast()), Array(program(id).prefix(70)),
      program([UInt8](repeating: 0xFF, count: 24)),
    ]
    for content in contents {
      let found = try identity(content)
      #expect(found.hasPrefix("sha256:") && found.count == 71, "\(found)")
    }
    #expect(throws: JobFolderError.self) {
      try ProgramBuild.identity(of: folder.url.appendingPathComponent("nowhere"))
    }
  }

  @Test func thisProgramHasOne() throws {
    let own = try ProgramBuild.own()
    #expect(own.hasPrefix("build-id:") || own.hasPrefix("sha256:"))
    #expect(try ProgramBuild.own() == own)
  }
}
