import Foundation
import TestSupport
import Testing

@testable import DICOM

/// What damaged files still say of themselves.
@Suite struct PartialIdentityTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private let sopClass = "1.2.840.10008.5.1.4.1.1.2"

  /// An image up to a place in the header where `inserted` comes, then the rest.
  private func raw(
    _ syntax: String = "1.2.840.10008.1.2.1", inserting inserted: [UInt8] = [],
    beforeUIDs isBefore: Bool = false, pixels: Int = 100
  ) throws -> String {
    var raw = RawFile(transferSyntax: syntax)
    func text(_ tag: DICOM.Tag, _ vr: String, _ text: String) {
      var bytes = Array(text.utf8)
      if bytes.count % 2 == 1 { bytes.append(vr == "UI" ? 0 : 0x20) }
      raw.append(explicit: tag, vr, bytes)
    }
    text(.sopClassUID, "UI", sopClass)
    text(.sopInstanceUID, "UI", "1.2.3.4")
    text(.modality, "CS", "CT")
    if isBefore { raw.bytes += inserted }
    text(.studyInstanceUID, "UI", "1.2")
    text(.seriesInstanceUID, "UI", "1.2.3")
    text(.studyID, "SH", "7")
    if !isBefore { raw.bytes += inserted }
    raw.append(explicit: .pixelData, "OW", [1, 2], length: pixels)
    return try raw.write(in: folder)
  }

  private func expectWhole(_ partial: PartialIdentity) {
    #expect(partial.sopClassUID == sopClass && partial.sopInstanceUID == "1.2.3.4")
    #expect(partial.studyInstanceUID == "1.2" && partial.seriesInstanceUID == "1.2.3")
    #expect(partial.modality == "CT" && partial.hasPrefix && !partial.isEmpty)
  }

  @Test func ofAFileThatIsCutOff() throws {
    let path = try raw()
    #expect(throws: DICOMError.self) { try DICOMFile(path: path) }
    expectWhole(PartialIdentity(ofDamaged: path))
  }

  /// JPEG XL, MPEG-2, and a private one.
  @Test(arguments: [
    "1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.100", "1.2.840.113619.5.2",
  ])
  func ofATransferSyntaxThatIsNotSupported(syntax: String) throws {
    let path = try raw(syntax)
    #expect(throws: DICOMError.unsupportedTransferSyntax(file: path, uid: syntax)) {
      try DICOMFile(path: path)
    }
    expectWhole(PartialIdentity(ofDamaged: path))
    #expect(PartialIdentity(ofDamaged: path).transferSyntaxUID == syntax)
  }

  /// Nothing can be read in order behind an element whose length leads anywhere.
  @Test func behindAnElementThatCannotBeRead() throws {
    let wild: [UInt8] = [0x19, 0x00, 0x10, 0x10, 0x3F, 0x3F, 0xFF, 0xFF, 1, 2, 3, 4]
    expectWhole(PartialIdentity(ofDamaged: try raw(inserting: wild)))
    expectWhole(PartialIdentity(ofDamaged: try raw(inserting: wild, beforeUIDs: true)))
  }

  /// The items of Related Series (0008,1250) have a study and a series UID too: those of another one.
  @Test func anItemThatNamesAnotherSeriesIsPassedOver() throws {
    var item = RawFile(transferSyntax: "1.2.840.10008.1.2.1")
    let start = item.bytes.count
    item.append(explicit: .studyInstanceUID, "UI", Array("9.9\0".utf8))
    item.append(explicit: .seriesInstanceUID, "UI", Array("9.99".utf8))
    item.append(explicit: DICOM.Tag(0x0040, 0xA170), "SQ", [])
    let wild: [UInt8] = [0x19, 0x00, 0x10, 0x10, 0x3F, 0x3F, 0xFF, 0xFF, 1, 2, 3, 4]
    let related = wild + item.bytes[start...]
    expectWhole(PartialIdentity(ofDamaged: try raw(inserting: related, beforeUIDs: true)))
  }

  @Test func ofADatasetFromTheNetwork() throws {
    let path = try raw()
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    let partial = PartialIdentity(
      ofDamaged: bytes.dropFirst(160), transferSyntaxUID: "1.2.840.10008.1.2.1")
    #expect(partial.seriesInstanceUID == "1.2.3" && partial.sopInstanceUID == "1.2.3.4")
    #expect(!partial.hasPrefix)
  }

  @Test func ofADeflatedFileThatIsCutOff() async throws {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: try raw()))
    let path = folder.url.appendingPathComponent("deflated").path
    let dataset = folder.url.appendingPathComponent("dataset")
    // Pixels that do not deflate, so that the cut is in them.
    let noise = Data((0..<4096).map { _ in UInt8.random(in: 0...255) })
    try (bytes.dropFirst(160) + noise).write(to: dataset)
    let script = """
      import sys, zlib
      deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
      uid = b"1.2.840.10008.1.2.1.99"
      meta = b"\\0" * 128 + b"DICM" + b"\\2\\0\\x10\\0UI" + len(uid).to_bytes(2, "little") + uid
      data = deflate.compress(open(sys.argv[1], "rb").read()) + deflate.flush()
      open(sys.argv[2], "wb").write(meta + data[:-1000])
      """
    let made = try await runProcess(testPython, ["-c", script, dataset.path, path])
    try #require(made.status == 0, "\(made.output)")
    #expect(throws: DICOMError.self) { try DICOMFile(path: path) }
    let partial = PartialIdentity(ofDamaged: path)
    #expect(partial.seriesInstanceUID == "1.2.3" && partial.studyInstanceUID == "1.2")
  }

  @Test(arguments: [0, 1, 100, 131, 132, 140, 200])
  func nothingIsReadFromNothing(count: Int) throws {
    let path = try raw()
    let cut = folder.url.appendingPathComponent("cut")
    try Data(contentsOf: URL(fileURLWithPath: path)).prefix(count).write(to: cut)
    #expect(PartialIdentity(ofDamaged: cut.path).seriesInstanceUID == nil)
    #expect(PartialIdentity(ofDamaged: cut.path).hasPrefix == (count >= 132))
  }

  @Test func whatIsNotAUIDIsNotTaken() throws {
    let letter = folder.url.appendingPathComponent("letter")
    try Data("Dear colleague, the images are on their way.".utf8).write(to: letter)
    #expect(PartialIdentity(ofDamaged: letter.path).isEmpty)
    #expect(PartialIdentity(ofDamaged: folder.url.appendingPathComponent("none").path).isEmpty)
  }
}
