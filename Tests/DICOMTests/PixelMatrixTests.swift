import Foundation
import TestSupport
import Testing

@testable import DICOM

/// One phantom in every transfer syntax and bit layout against the values that pydicom reads.
@Suite struct PixelMatrixTests {
  private struct Entry: Decodable {
    var name: String
    var frames: Int
    var tolerance: Int32
    var lossless: Bool
  }

  private static let folder = Task {
    let folder = try TemporaryFolder()
    let made = try await runProcess(
      testPython,
      [
        TestFiles.package.appendingPathComponent(
          "Scripts/test-support/generators/make_pixel_matrix.py"
        ).path,
        folder.url.path,
      ])
    guard made.status == 0 else { throw MatrixError(output: made.output) }
    return folder
  }

  struct MatrixError: Error {
    var output: String
  }

  private func entries() async throws -> (folder: URL, entries: [Entry]) {
    let folder = try await Self.folder.value.url
    let data = try Data(contentsOf: folder.appendingPathComponent("matrix.json"))
    return (folder, try JSONDecoder().decode([Entry].self, from: data))
  }

  @Test func everySyntaxAndLayoutGivesTheStoredValues() async throws {
    let (folder, entries) = try await entries()
    var syntaxes: Set<TransferSyntax> = []
    for entry in entries {
      let decoder = try FrameDecoder(path: folder.appendingPathComponent("\(entry.name).dcm").path)
      syntaxes.insert(decoder.file.transferSyntax)
      let stored = try Data(contentsOf: folder.appendingPathComponent("\(entry.name).i32"))
      let expected = stored.withUnsafeBytes { raw in
        (0..<raw.count / 4).map {
          Int32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self))
        }
      }
      do {
        let found = try (1...entry.frames).flatMap { try decoder.storedValues(frame: $0) }
        #expect(found.count == expected.count, "\(entry.name)")
        let difference = zip(found, expected).map { abs($0 - $1) }.max() ?? .max
        #expect(difference <= entry.tolerance, "\(entry.name): \(difference)")
      } catch {
        Issue.record("\(entry.name): \(error)")
      }
    }
    #expect(syntaxes == Set(TransferSyntax.allCases))
  }

  private static let compressed = [
    "dcmcrle-16-12-11-u", "jpeg-baseline-8-8-7-u", "jpeg-extended-16-12-11-u",
    "jpeg-lossless-16-12-11-u", "jpeg-lossless-sv1-16-12-11-u", "jpeg-ls-16-12-11-u",
    "jpeg-ls-near-16-12-11-u", "j2k-lossless-16-12-11-u", "j2k-16-12-11-u",
    "htj2k-lossless-16-12-11-u", "htj2k-rpcl-16-12-11-u", "htj2k-16-12-11-u",
  ]

  /// A file whose only fragment is replaced by others.
  private func change(_ name: String, _ fragments: (Data) -> [Data]) async throws -> String {
    let folder = try await Self.folder.value.url
    let bytes = try Data(contentsOf: folder.appendingPathComponent("\(name).dcm"))
    let structure = try bytes.withUnsafeBytes { try FileStructure(scanning: $0, file: name) }
    let fragment = try #require(structure.pixelData?.fragments.first)
    var changed = bytes[..<(fragment.lowerBound - 8)]
    for piece in fragments(Data(bytes[fragment])) {
      changed += [0xFE, 0xFF, 0x00, 0xE0]
      changed += (0..<4).map { UInt8(truncatingIfNeeded: piece.count >> (8 * $0)) } + piece
    }
    changed += bytes[fragment.upperBound...]
    let path = folder.appendingPathComponent(UUID().uuidString).path
    try changed.write(to: URL(fileURLWithPath: path))
    return path
  }

  private func isRefused(_ path: String) throws -> Bool {
    defer { try? FileManager.default.removeItem(atPath: path) }
    do throws(DICOMError) {
      _ = try FrameDecoder(path: path).storedValues(frame: 1)
      return false
    } catch {
      return error.description.contains("(7FE0,0010)")
    }
  }

  @Test(arguments: compressed) func codestreamsThatAreCutOffAreRefused(name: String) async throws {
    for keptPercent in [0, 10, 50, 90, 99] {
      let path = try await change(name) { code in
        let end = (code.lastIndex { $0 != 0 } ?? 0) + 1
        let count = min(end - 2, end * keptPercent / 100)
        return [code.prefix(count + count % 2)]
      }
      let refused = try isRefused(path)
      #expect(refused, "\(keptPercent) % kept")
    }
  }

  /// What is left over would be lost silently.
  @Test(arguments: compressed) func codestreamsThatAreLeftOverAreRefused(name: String) async throws
  {
    let another = try await change(name) { [$0, $0] }
    #expect(try isRefused(another))
    let longer = try await change(name) { [$0 + $0] }
    #expect(try isRefused(longer))
  }
}
