import Foundation
import TestSupport
import Testing

@testable import DICOM

/// Datasets that are not coded as (0002,0010) says.
@Suite struct TransferSyntaxTests {
  typealias Coding = ElementBytes.Coding

  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// An image of one row and two pixels.
  private func image(_ coding: Coding, characterSet: Bool = true) -> ElementBytes {
    var elements = ElementBytes(coding)
    if characterSet { elements.append(.specificCharacterSet, "CS", "ISO_IR 100") }
    elements.append(.modality, "CS", "MR")
    var item = ElementBytes(coding)
    item.append(.codeValue, "SH", "CODE")
    elements.sequence(Tag(0x0008, 0x2228), "SQ", item: item)
    elements.append(.samplesPerPixel, words: 1)
    elements.append(.photometricInterpretation, "CS", "MONOCHROME2")
    elements.append(.rows, words: 1)
    elements.append(.columns, words: 2)
    elements.append(.bitsAllocated, words: 16)
    elements.append(.bitsStored, words: 12)
    elements.append(.highBit, words: 11)
    elements.append(.pixelRepresentation, words: 0)
    var pixels = ElementBytes(coding)
    pixels.append(300, size: 2)
    pixels.append(5, size: 2)
    elements.append(.pixelData, "OW", pixels.bytes)
    return elements
  }

  private func expectRead(_ path: String, _ coding: Coding, _ comment: Comment) throws {
    let decoder = try FrameDecoder(path: path)
    #expect(decoder.file.transferSyntax.rawValue == coding.transferSyntax, comment)
    #expect(decoder.file.dataset.text(.modality) == "MR", comment)
    #expect(
      decoder.file.dataset.items(Tag(0x0008, 0x2228)).first?.text(.codeValue) == "CODE", comment)
    #expect(try decoder.storedValues(frame: 1) == [300, 5], comment)
  }

  @Test(arguments: Coding.allCases, Coding.allCases)
  func aDatasetOfAnotherCodingIsRead(stated: Coding, found: Coding) throws {
    let path = try image(found).file(in: folder, stating: stated.transferSyntax)
    try expectRead(path, found, "\(stated) stated, \(found) found")
    let contradicted = try DICOMFile(path: path).contradictedTransferSyntaxUID
    #expect(contradicted == (stated == found ? nil : stated.transferSyntax))
  }

  /// Lengths of an implicit dataset are so short that they are no VR, also without character set.
  @Test func theFirstElementMayBeAnother() throws {
    let path = try image(.implicit, characterSet: false)
      .file(in: folder, stating: Coding.explicit.transferSyntax)
    try expectRead(path, .implicit, "implicit, Modality first")
  }

  /// PACS that decompress and leave the name of the transfer syntax.
  @Test(arguments: Coding.allCases, ["1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.5"])
  func pixelsThatAreNotCompressedAreRead(found: Coding, stated: String) throws {
    try expectRead(image(found).file(in: folder, stating: stated), found, "\(stated)")
    var wrong = image(found)
    wrong.bytes.removeLast(2)
    let header = wrong.bytes.count - 2
    wrong.bytes[header - 2 - (found == .bigEndian ? -1 : 2)] = 2
    #expect(throws: DICOMError.self) {
      try FrameDecoder(path: wrong.file(in: folder, stating: stated)).storedValues(frame: 1)
    }
  }

  @Test func compressedPixelsThatAreSaidNotToBeAreRefused() throws {
    var elements = ElementBytes(.explicit)
    elements.append(.modality, "CS", "MR")
    elements.append(.pixelData, "OB", length: ElementBytes.undefined)
    elements.delimiter(0xE000)
    elements.delimiter(0xE0DD)
    for coding in [Coding.explicit, .implicit] {
      let path = try elements.file(in: folder, stating: coding.transferSyntax)
      let error = #expect(throws: DICOMError.self) { try DICOMFile(path: path) }
      let message = error?.description ?? ""
      #expect(message.contains("(0002,0010)") && message.contains(coding.transferSyntax))
      #expect(message.contains("(7FE0,0010)"), "\(message)")
    }
  }

  @Test func whatIsInNoKnownCodingIsSaidToContradict() throws {
    var raw = RawFile(transferSyntax: Coding.explicit.transferSyntax)
    raw.bytes += [UInt8](repeating: 0xA5, count: 64)
    let path = try raw.write(in: folder)
    let error = #expect(throws: DICOMError.self) { try DICOMFile(path: path) }
    #expect(error?.description.contains("(0002,0010)") == true, "\(error?.description ?? "")")
  }

  /// Damage behind a beginning of another coding names both.
  @Test func damageInTheOtherCodingNamesBoth() throws {
    var elements = image(.implicit)
    elements.bytes.removeLast(3)
    let path = try elements.file(in: folder, stating: Coding.explicit.transferSyntax)
    let error = #expect(throws: DICOMError.self) { try DICOMFile(path: path) }
    let message = error?.description ?? ""
    #expect(message.contains("(0002,0010)") && message.contains("(7FE0,0010)"), "\(message)")
  }

  @Test(arguments: Coding.allCases)
  func metaInformationMayBeImplicit(dataset: Coding) throws {
    var meta = ElementBytes(.implicit)
    meta.append(.mediaStorageSOPInstanceUID, "UI", "1.2.3.4 ")
    meta.append(.transferSyntaxUID, "UI", dataset.transferSyntax)
    let bytes =
      [UInt8](repeating: 0, count: 128) + Array("DICM".utf8) + meta.bytes + image(dataset).bytes
    let path = folder.url.appendingPathComponent("meta.dcm").path
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    try expectRead(path, dataset, "implicit meta information")
  }

  @Test func aDatasetThatIsNotDeflatedIsRead() throws {
    let stated = TransferSyntax.deflatedExplicitLittleEndian.rawValue
    let explicit = try FrameDecoder(path: image(.explicit).file(in: folder, stating: stated))
    #expect(try explicit.storedValues(frame: 1) == [300, 5])
    try expectRead(image(.implicit).file(in: folder, stating: stated), .implicit, "not deflated")
  }

  @Test func aDeflatedDatasetMayBeImplicit() async throws {
    let plain = folder.url.appendingPathComponent("plain")
    let path = folder.url.appendingPathComponent("deflated").path
    try Data(image(.implicit).bytes).write(to: plain)
    let made = try await runProcess(
      testPython,
      [
        "-c",
        """
        import sys, zlib
        meta = bytes(128) + b"DICM" + bytes([2, 0, 16, 0]) + b"UI" + bytes([22, 0])
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = deflate.compress(open(sys.argv[1], "rb").read()) + deflate.flush()
        open(sys.argv[2], "wb").write(meta + b"1.2.840.10008.1.2.1.99" + data)
        """, plain.path, path,
      ])
    #expect(made.status == 0, "\(made.output)")
    try expectRead(path, .implicit, "deflated")
  }
}
