import FileSystem
import Foundation
import TestSupport
import Testing

@testable import DICOM

/// Files that crash, stall or mislead a parser: every one must be a typed refusal.
@Suite struct HostileFileTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: [65, 20_000]) func deepNestingIsRefused(depth: Int) throws {
    var raw = RawFile(transferSyntax: "1.2.840.10008.1.2.1")
    raw.nest(depth)
    raw.close(depth)
    let path = try raw.write(in: folder)
    #expect(throws: DICOMError.nestedTooDeeply(file: path, tag: .segmentSequence, limit: 64)) {
      try DICOMFile(path: path)
    }
  }

  @Test func nestingWithinTheLimitIsRead() throws {
    var raw = RawFile(transferSyntax: "1.2.840.10008.1.2.1")
    raw.nest(64)
    raw.close(64)
    #expect(try DICOMFile(path: raw.write(in: folder)).dataset.items(.segmentSequence).count == 1)
  }

  @Test func nestingByDefinedLengthsWithoutVRsIsRefused() throws {
    var raw = RawFile(transferSyntax: "1.2.840.10008.1.2")
    let depth = 200
    for level in 0..<depth {
      let inner = (depth - level - 1) * 16
      raw.append(.segmentSequence)
      raw.append(inner + 8, size: 4)
      raw.append(Tag(0xFFFE, 0xE000))
      raw.append(inner, size: 4)
    }
    let path = try raw.write(in: folder)
    #expect(throws: DICOMError.nestedTooDeeply(file: path, tag: .segmentSequence, limit: 64)) {
      try DICOMFile(path: path)
    }
  }

  @Test func anElementWithTwoValuesIsRefusedAndACopyIsNot() throws {
    for (second, isRefused) in [("MR", true), ("CT", false)] {
      var raw = RawFile(transferSyntax: "1.2.840.10008.1.2.1")
      raw.append(explicit: .modality, "CS", Array("CT".utf8))
      raw.append(explicit: .modality, "CS", Array(second.utf8))
      let path = try raw.write(in: folder)
      if isRefused {
        #expect(
          throws: DICOMError.malformed(
            file: path, tag: .modality, reason: "appears twice with different values")
        ) { try DICOMFile(path: path) }
      } else {
        #expect(try DICOMFile(path: path).dataset.text(.modality) == "CT")
      }
    }
  }

  @Test func aDamagedFileStillNamesItsSeries() throws {
    let whole = try Phantom.write(
      Phantom.slice(pixels: Array(repeating: 0, count: 24)), "whole.dcm", in: folder)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: whole))
    let cut = folder.url.appendingPathComponent("cut.dcm")
    try bytes.dropLast(20).write(to: cut)
    #expect(throws: DICOMError.self) { try DICOMFile(path: cut.path) }
    let uid = try DICOMFile(path: whole).dataset.text(.seriesInstanceUID)
    #expect(PartialIdentity(ofDamaged: cut.path).seriesInstanceUID == uid)
    try bytes.prefix(150).write(to: cut)
    #expect(PartialIdentity(ofDamaged: cut.path).seriesInstanceUID == nil)
  }

  @Test func lengthsBeyondTheFileAreNamed() throws {
    var raw = RawFile(transferSyntax: "1.2.840.10008.1.2.1")
    raw.append(explicit: .modality, "CS", Array("CT".utf8))
    raw.append(explicit: .extendedOffsetTable, "OB", [1, 2], length: 0x7FFF_FFF0)
    let path = try raw.write(in: folder)
    #expect(
      throws: DICOMError.truncated(
        file: path, tag: .extendedOffsetTable, needed: 0x7FFF_FFF0, available: 2)
    ) {
      try DICOMFile(path: path)
    }
  }

  @Test func everyTruncationIsRefusedOrLosesAllThatFollows() throws {
    let whole = try Phantom.write(
      Phantom.slice(pixels: Array(repeating: 7, count: 24)), "whole.dcm", in: folder)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: whole))
    let path = folder.url.appendingPathComponent("cut.dcm").path
    for length in stride(from: 0, to: bytes.count, by: 1) {
      try bytes.prefix(length).write(to: URL(fileURLWithPath: path))
      // A cut between two elements leaves a file without pixel data.
      #expect(throws: DICOMError.self, "cut at \(length)") { try FrameDecoder(path: path) }
    }
  }

  @Test func randomDamageIsSurvived() throws {
    let pixels = [Int16](repeating: 3, count: 24)
    var dataset = Phantom.slice(pixels: pixels)
    dataset.set(.derivationImageSequence, [dataset, dataset])
    let path = try Phantom.write(dataset, "damaged.dcm", in: folder)
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    var state: UInt64 = 7
    let random = { (limit: Int) in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % limit
    }
    for _ in 0..<300 {
      var bytes = whole
      for _ in 0...random(4) {
        bytes[132 + random(bytes.count - 132)] = [0, 1, 0x7F, 0x80, 0xFF][random(5)]
      }
      try bytes.write(to: URL(fileURLWithPath: path))
      do throws(DICOMError) {
        let decoder = try FrameDecoder(path: path)
        _ = try decoder.file.imageFrames()
        #expect(try decoder.storedValues(frame: 1).count <= 24)
      } catch {
        #expect("\(error)".contains(path) || "\(error)".contains("DCMTK"))
      }
    }
  }

  @Test func unknownTransferSyntaxesAreRefused() throws {
    let uid = "1.2.3.4"
    let path = try RawFile(transferSyntax: uid).write(in: folder)
    #expect(throws: DICOMError.unsupportedTransferSyntax(file: path, uid: uid)) {
      try DICOMFile(path: path)
    }
  }

  /// 3 MB that unfold to 3 GB of zeros, and a stream that is cut off.
  @Test func deflateBombsAndCutStreamsAreRefused() async throws {
    let bomb = folder.url.appendingPathComponent("bomb")
    let cut = folder.url.appendingPathComponent("cut")
    let made = try await runProcess(
      testPython,
      [
        "-c",
        """
        import sys, zlib
        meta = bytes(128) + b"DICM" + bytes([2, 0, 16, 0]) + b"UI" + bytes([22, 0])
        meta += b"1.2.840.10008.1.2.1.99"
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        part = deflate.compress(bytes([0x10, 0, 0x20, 0]) + b"LO" + bytes([4, 0]) + b"ABCD")
        open(sys.argv[2], "wb").write(meta + part + b"\\x01")
        block = bytes(1 << 20)
        for _ in range(3000): part += deflate.compress(block)
        open(sys.argv[1], "wb").write(meta + part + deflate.flush())
        """, bomb.path, cut.path,
      ])
    #expect(made.status == 0, "\(made.output)")
    let error = #expect(throws: DICOMError.self) { try DICOMFile(path: bomb.path) }
    guard case .tooLarge = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(throws: DICOMError.self) { try DICOMFile(path: cut.path) }
  }

  @Test func otherFilesAreRefused() throws {
    let path = folder.url.appendingPathComponent("text").path
    try Data("hello".utf8).write(to: URL(fileURLWithPath: path))
    #expect(throws: DICOMError.notDICOM(file: path)) { try DICOMFile(path: path) }
    #expect(throws: DICOMError.cannotRead(file: "/dev/zero", reason: "not a regular file")) {
      try DICOMFile(path: "/dev/zero")
    }
    let missing = folder.url.appendingPathComponent("none").path
    let error = SystemError(ENOENT)
    #expect(
      throws: DICOMError.cannotRead(file: missing, reason: error.description, system: error)
    ) {
      try DICOMFile(path: missing)
    }
  }

  @Test func blankAndInvalidUIDsAreNamed() throws {
    var dataset = Phantom.slice(pixels: Array(repeating: 0, count: 24))
    dataset.set(.seriesInstanceUID, .UI, "")
    let blank = try DICOMFile(path: Phantom.write(dataset, "blank.dcm", in: folder))
    #expect(throws: DICOMError.missingAttribute(file: blank.path, tag: .seriesInstanceUID)) {
      try blank.identity()
    }
    dataset.set(.seriesInstanceUID, .UI, "../../etc")
    let wrong = try DICOMFile(path: Phantom.write(dataset, "wrong.dcm", in: folder))
    #expect(
      throws: DICOMError.invalidAttribute(
        file: wrong.path, tag: .seriesInstanceUID, value: "../../etc")
    ) { try wrong.identity() }
  }

  @Test func framesThatAreNotDescribedAreRefused() throws {
    var dataset = Phantom.slice(pixels: Array(repeating: 0, count: 24))
    dataset.set(.numberOfFrames, .IS, "2000000000")
    let path = try Phantom.write(dataset, "frames.dcm", in: folder)
    #expect(throws: DICOMError.missingAttribute(file: path, tag: .perFrameFunctionalGroups)) {
      try DICOMFile(path: path).imageFrames()
    }
    #expect(throws: DICOMError.self) {
      try FrameDecoder(path: path).storedValues(frame: 1)
    }
  }

  /// Pictures without planes are named by their class, with functional groups and without.
  @Test func otherClassesAreNamed() throws {
    for (uid, name) in [
      ("1.2.840.10008.5.1.4.1.1.77.1.6", "VLWholeSlideMicroscopyImageStorage"),
      ("1.2.840.10008.5.1.4.1.1.3.1", "UltrasoundMultiframeImageStorage"),
      ("1.2.840.10008.5.1.4.1.1.7.2", "MultiframeGrayscaleByteSecondaryCaptureImageStorage"),
      ("1.2.840.10008.5.1.4.1.1.12.1", "XRayAngiographicImageStorage"),
    ] {
      for frames in ["1", "3"] where frames == "3" || !uid.hasSuffix("12.1") {
        var dataset = Phantom.slice(pixels: Array(repeating: 0, count: 24))
        dataset.set(.sopClassUID, .UI, uid)
        dataset.set(.numberOfFrames, .IS, frames)
        let path = try Phantom.write(dataset, "other.dcm", in: folder)
        let error = #expect(throws: DICOMError.unsupportedSOPClass(file: path, uid: uid)) {
          try DICOMFile(path: path).imageFrames()
        }
        #expect(error?.description.contains(name) == true, "\(String(describing: error))")
      }
    }
  }

  /// A compressed syntax that nobody here decodes: the series is known all the same.
  @Test func aFileOfAnUnknownSyntaxStillNamesItsSeries() throws {
    var elements = ElementBytes(.explicit)
    elements.append(.modality, "CS", "MR")
    elements.append(.seriesInstanceUID, "UI", "1.2.03.4")
    elements.append(.pixelData, "OB", length: ElementBytes.undefined)
    elements.delimiter(0xE000)
    elements.delimiter(0xE0DD)
    let path = try elements.file(in: folder, stating: "1.2.840.10008.1.2.4.110")
    #expect(
      throws: DICOMError.unsupportedTransferSyntax(file: path, uid: "1.2.840.10008.1.2.4.110")
    ) { try DICOMFile(path: path) }
    #expect(PartialIdentity(ofDamaged: path).seriesInstanceUID == "1.2.03.4")
  }
}
