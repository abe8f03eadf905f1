import Foundation
import TestSupport
import Testing

@testable import DICOM

/// Of a deflated file only what is read of the header takes memory.
@Suite struct DeflatedFileTests {
  private let folder: TemporaryFolder
  private var plain: URL { folder.url.appendingPathComponent("plain") }
  private var deflated: URL { folder.url.appendingPathComponent("deflated") }

  init() throws { folder = try TemporaryFolder() }

  /// Writes an object with pixels of ones, plain and deflated; sizes in bytes.
  private func make(before: Int = 0, pixels: Int, behind: Int = 0) async throws {
    let made = try await runProcess(
      testPython,
      [
        "-c",
        """
        import struct, sys, zlib
        before, pixels, behind = map(int, sys.argv[3:])
        def element(group, number, vr, value):
            value += b"\\0" * (len(value) % 2)
            return struct.pack("<HH2sH", group, number, vr, len(value)) + value
        def long(group, number, vr, size, value):
            yield struct.pack("<HH2sHI", group, number, vr, 0, size)
            for start in range(0, size, 1 << 20):
                yield value * min(1 << 20, size - start)
        def parts():
            yield element(8, 0x16, b"UI", b"1.2.840.10008.5.1.4.1.1.2")
            yield element(8, 0x18, b"UI", b"1.2.3.4") + element(8, 0x60, b"CS", b"CT")
            if before:
                yield element(9, 0x10, b"LO", b"TEST")
                yield from long(9, 0x1001, b"OB", before, b"\\2")
            yield element(0x20, 0x0D, b"UI", b"1.2.5") + element(0x20, 0x0E, b"UI", b"1.2.6")
            yield from long(0x7FE0, 0x10, b"OW", pixels, b"\\1")
            if behind: yield from long(0xFFFC, 0xFFFC, b"OB", behind, b"\\3")
        deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
        meta = bytes(128) + b"DICM" + bytes([2, 0, 16, 0]) + b"UI"
        with open(sys.argv[1], "wb") as plain, open(sys.argv[2], "wb") as deflated:
            plain.write(meta + bytes([20, 0]) + b"1.2.840.10008.1.2.1\\0")
            deflated.write(meta + bytes([22, 0]) + b"1.2.840.10008.1.2.1.99")
            for part in parts():
                plain.write(part)
                deflated.write(deflate.compress(part))
            deflated.write(deflate.flush())
        """, plain.path, deflated.path, "\(before)", "\(pixels)", "\(behind)",
      ])
    try #require(made.status == 0, "\(made.output)")
  }

  private func expectRead() throws {
    let file = try DICOMFile(path: deflated.path)
    let same = try DICOMFile(path: plain.path)
    #expect(try file.identity().sopInstanceUID == same.identity().sopInstanceUID)
    #expect(file.dataset.text(.seriesInstanceUID) == "1.2.6")
    #expect(file.transferSyntax == .deflatedExplicitLittleEndian)
  }

  /// Header and what is behind the pixels are those of the plain file, and zeros are in the pixels' place.
  @Test func thePixelsAreLeftOut() async throws {
    let pixels = 3_000_000
    try await make(pixels: pixels, behind: 1000)
    try expectRead()
    let whole = try Data(contentsOf: plain)
    let raw = try Data(contentsOf: deflated)
    let (extent, inflated) = try raw.withUnsafeBytes { raw in
      var extent = try #require(
        try Inflation.extent(raw, file: "", maximumSize: DICOMFile.maximumInflatedSize))
      extent.pixels = try Inflation.pixels(of: raw, extent, within: 1000, file: "")
      return (extent, try Inflation.inflate(raw, extent, file: ""))
    }
    let place = try #require(extent.pixels)
    #expect(place.count == pixels)
    #expect(extent.sizeWithoutPixels == extent.size - pixels)
    // The file meta information of the deflated one is two bytes longer.
    #expect(inflated.count == whole.count + 2)
    #expect(
      inflated[extent.offset..<place.lowerBound]
        == whole[(extent.offset - 2)..<(place.lowerBound - 2)])
    #expect(inflated[place].allSatisfy { $0 == 0 })
    #expect(inflated[place.upperBound...] == whole[(place.upperBound - 2)...])
    // Whole where the pixels are read.
    let loaded = try DICOMFile.load(deflated.path)
    #expect(loaded[place] == whole[(place.lowerBound - 2)..<(place.upperBound - 2)])
  }

  @Test func thePixelElementIsNotFoundWhereItDoesNotBegin() async throws {
    try await make(before: 5000, pixels: 10_000)
    let raw = try Data(contentsOf: deflated)
    try raw.withUnsafeBytes { raw in
      let extent = try #require(try Inflation.extent(raw, file: "", maximumSize: 1 << 20))
      for size in [0, 1, 100, 4000] {
        #expect(try Inflation.pixels(of: raw, extent, within: size, file: "") == nil)
      }
      #expect(try Inflation.pixels(of: raw, extent, within: 6000, file: "")?.count == 10_000)
    }
    try expectRead()
  }

  @Test func aLongHeaderIsRead() async throws {
    try await make(before: 3 << 20, pixels: 200 << 20)
    try expectRead()
  }

  /// A few hundred kilobytes that unfold to more than a header or a trailer has.
  @Test(arguments: [(before: 200 << 20, behind: 0), (before: 0, behind: 200 << 20)])
  func aBombBesidesThePixelsIsRefused(before: Int, behind: Int) async throws {
    try await make(before: before, pixels: 1000, behind: behind)
    let error = #expect(throws: DICOMError.self) { try DICOMFile(path: deflated.path) }
    guard case .tooLarge(let file, let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(file == deflated.path)
    #expect(
      reason.contains("besides pixels, at most \(128 << 20) are read"), "\(reason)")
  }
}
