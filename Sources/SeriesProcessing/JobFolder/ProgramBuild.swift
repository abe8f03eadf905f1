import FileSystem
import Foundation

/// Which build of a program a file is: two builds of the same source may differ in the last digit of what they compute, as
/// where another compiler made them.
///
/// ```swift
/// print(try ProgramBuild.own())  // build-id:93c1…
/// ```
public enum ProgramBuild {
  /// That of this process, also where its file was replaced since it began.
  ///
  /// - Throws: ``JobFolderError/unreadable(file:reason:system:)``
  public static func own() throws(JobFolderError) -> String {
    try identity(of: URL(fileURLWithPath: "/proc/self/exe"))
  }

  /// The build ID that the linker wrote, which is a hash of all that it linked (elf(5), NT_GNU_BUILD_ID), and where there is
  /// none the SHA-256 of the file: `build-id:` or `sha256:` and hexadecimal digits.
  ///
  /// - Parameter file: the program.
  /// - Throws: ``JobFolderError/unreadable(file:reason:system:)``
  public static func identity(of file: URL) throws(JobFolderError) -> String {
    let id: [UInt8]?
    do { id = try buildID(of: file) } catch { throw .unreadable(file, error) }
    if let id { return "build-id:" + hexadecimal(id) }
    let hash = try JobFolder.hash(file)
    return "sha256:" + hash
  }

  /// Nil of what is no program of 64 bits, or has no build ID.
  private static func buildID(of file: URL) throws -> [UInt8]? {
    let handle = try FileHandle(forReadingFrom: file)
    defer { try? handle.close() }
    func bytes(at offset: Int, count: Int) throws -> ELFBytes? {
      // The tables that are read here have a few hundred bytes.
      guard offset >= 0, (1...1 << 20).contains(count) else { return nil }
      try handle.seek(toOffset: UInt64(offset))
      let data = try handle.read(upToCount: count) ?? Data()
      return data.count == count ? ELFBytes(bytes: Array(data)) : nil
    }
    // Of the other order of bytes no processor is supported.
    guard let header = try bytes(at: 0, count: 64),
      header.bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1]),
      let table = header.number(32, 8), let size = header.number(54, 2), size >= 56,
      let count = header.number(56, 2), let segments = try bytes(at: table, count: size * count)
    else { return nil }
    for segment in stride(from: 0, to: size * count, by: size)
    where segments.number(segment, 4) == ELFBytes.notes {
      guard let offset = segments.number(segment + 8, 8),
        let length = segments.number(segment + 32, 8),
        let notes = try bytes(at: offset, count: length)
      else { continue }
      let alignment = segments.number(segment + 48, 8) == 8 ? 8 : 4
      if let id = notes.buildID(alignment: alignment) { return id }
    }
    return nil
  }
}

/// A part of a program's file.
private struct ELFBytes {
  let bytes: [UInt8]

  /// PT_NOTE, the type of a segment.
  static let notes = 4
  /// NT_GNU_BUILD_ID, the type of a note.
  private static let buildIDType = 3

  /// The number of so many bytes there; nil beyond the end.
  func number(_ offset: Int, _ size: Int) -> Int? {
    guard offset >= 0, offset + size <= bytes.count else { return nil }
    let value = bytes[offset..<offset + size].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return Int(exactly: value)
  }

  /// That of the notes, which follow each other: the lengths of name and content, a type, the name, the content.
  func buildID(alignment: Int) -> [UInt8]? {
    func aligned(_ offset: Int) -> Int { (offset + alignment - 1) / alignment * alignment }
    var note = 0
    while let nameLength = number(note, 4), let length = number(note + 4, 4),
      let type = number(note + 8, 4)
    {
      let content = aligned(note + 12 + nameLength)
      guard content + length <= bytes.count else { return nil }
      let name = bytes[note + 12..<note + 12 + nameLength]
      if type == Self.buildIDType, name.elementsEqual([0x47, 0x4E, 0x55, 0]), length > 0 {
        return Array(bytes[content..<content + length])
      }
      note = aligned(content + length)
    }
    return nil
  }
}
