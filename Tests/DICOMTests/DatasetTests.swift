import FileSystem
import Foundation
import TestSupport
import Testing

@testable import DICOM

@Suite struct DatasetTests {
  @Test func everyKindOfValueSurvivesAFile() throws {
    var code = Dataset()
    code.set(.codeValue, .SH, "113076")
    var inner = Dataset()
    inner.set(.derivationCodeSequence, [code])
    var dataset = Phantom.slice(pixels: (0..<24).map { Int16($0) - 12 })
    dataset.set(.segmentationType, .CS, "BINARY")
    dataset.set(.recommendedDisplayCIELabValue, .US, 1, 65535, 3)
    dataset.set(.dimensionIndexValues, .UL, 4_000_000_000, 2)
    dataset.set(.dimensionIndexPointer, .AT, Int(Tag.segmentNumber.rawValue))
    dataset.set(.diffusionBValue, .FD, reals: [1000.25])
    dataset.set(.pixelPaddingValue, .SS, -2000)
    dataset.set(.studyID, .SH, "")
    dataset.set(.derivationImageSequence, [inner, inner])
    dataset.set(Tag(0x0042, 0x0011), .OB, bytes: [1, 2, 3, 4])
    dataset[.patientName] = DataElement(.PN, .text([0x4D, 0xFC, 0x6C, 0x6C]))
    let folder = try TemporaryFolder()
    let path = try Phantom.write(dataset, "all.dcm", in: folder)

    let read = try DICOMFile(path: path)
    for (tag, element) in dataset.elements where tag < .pixelData {
      #expect(read.dataset[tag]?.vr == element.vr, "\(tag)")
      if case .text(let bytes) = element.value, case .text(let stored)? = read.dataset[tag]?.value {
        #expect(Array(stored.prefix(bytes.count)) == bytes, "\(tag)")
      } else if case .items = element.value {
        #expect(
          read.dataset.items(tag).map { $0.items(.derivationCodeSequence).first?.text(.codeValue) }
            == ["113076", "113076"])
      } else {
        #expect(read.dataset[tag] == element, "\(tag)")
      }
    }
    #expect(read.dataset.text(.patientName) == "Müll")
    #expect(read.transferSyntax == .explicitLittleEndian)
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["all.dcm"])
  }

  @Test func numbersThatAreNoneAreNotGuessed() {
    var dataset = Dataset()
    dataset.set(.imagePosition, .DS, "1\\2,5\\3")
    dataset.set(.pixelSpacing, .DS, "nan\\1")
    dataset.set(.instanceNumber, .IS, " 12 ")
    #expect(dataset.reals(.imagePosition).isEmpty)
    #expect(dataset.reals(.pixelSpacing).isEmpty)
    #expect(dataset.integer(.instanceNumber) == 12)
  }

  @Test func aFolderThatDoesNotExistIsNamed() {
    #expect(
      throws: DICOMError.cannotWrite(
        file: "/nowhere/x.dcm", reason: "No such file or directory", system: SystemError(ENOENT))
    ) {
      try Phantom.slice(pixels: []).write(to: "/nowhere/x.dcm")
    }
  }

  /// Python's documentation: uuid5(NAMESPACE_DNS, "python.org") is 886313e1-3b8a-5372-9b90-0c9aee199e5d.
  @Test func aNameAlwaysGivesTheSameUUIDOfVersion5() async throws {
    let names = try #require(UUID(uuidString: "6ba7b810-9dad-11d1-80b4-00c04fd430c8"))
    let expected = try #require(UUID(uuidString: "886313e1-3b8a-5372-9b90-0c9aee199e5d"))
    let bytes = withUnsafeBytes(of: expected.uuid) { Array($0) }
    #expect(DICOMUID.named("python.org", in: names) == "2.25.\(DICOMUID.decimal(bytes))")
    let script = "import sys, uuid; print(uuid.uuid5(uuid.UUID(sys.argv[1]), sys.argv[2]).int)"
    let python = try await runProcess(
      testPython, ["-c", script, DICOMUID.namespace.uuidString, "series/ü"])
    #expect("2.25.\(python.output)" == DICOMUID.named("series/ü") + "\n")
  }

  @Test func uidsAreUUIDsAsDecimals() {
    #expect(DICOMUID.decimal([0x01, 0x00]) == "256")
    #expect(
      DICOMUID.decimal(Array(repeating: 0xFF, count: 16))
        == "340282366920938463463374607431768211455")
    let uids = Set((0..<100).map { DICOMUID.named("\($0)") })
    #expect(uids.count == 100)
    #expect(uids.allSatisfy { $0.hasPrefix("2.25.") && DICOMUID.isValid($0) })
    for odd in ["1.02", "00.1", "1.2.840.99.007", String(repeating: "1", count: 64)] {
      #expect(DICOMUID.isValid(odd), "\(odd)")
    }
    for wrong in [
      "", "1..2", "1.2.", ".1", "1.2a", "1.٢", "1 .2", String(repeating: "1", count: 65), "1.2\0",
    ] {
      #expect(!DICOMUID.isValid(wrong))
    }
  }

  @Test func paddingIsNoneOfAUID() {
    for padded in ["1.2.3", "1.2.3\0", "1.2.3\0\0\0", "1.2.3 ", " 1.2.3", "1.2.3 \0"] {
      #expect(DICOMUID.trimmed(padded) == "1.2.3")
      var dataset = Dataset()
      dataset.set(.sopInstanceUID, .UI, padded)
      #expect(dataset.text(.sopInstanceUID) == "1.2.3")
    }
    #expect(DICOMUID.trimmed("") == "" && DICOMUID.trimmed("\0\0") == "")
  }

  @Test func classesHaveTheirKeywords() {
    #expect(DICOMUID.keyword(of: "1.2.840.10008.5.1.4.1.1.2") == "CTImageStorage")
    #expect(DICOMUID.keyword(of: "1.2.3") == nil)
    #expect(DICOMUID.described("../\n") == "../?")
    for uid in ["3.1", "6.1", "7.2", "77.1.6"] {
      #expect(ImageStorage.hasNoPlanes("1.2.840.10008.5.1.4.1.1." + uid))
    }
    for uid in ["2", "4.1", "7", "128", "77"] {
      #expect(!ImageStorage.hasNoPlanes("1.2.840.10008.5.1.4.1.1." + uid))
    }
  }

  /// Siemens keeps it as IS; archives that do not know it hand it on as OB or UN.
  @Test(arguments: [VR.IS, .OB, .UN, .DS]) func aBValueIsReadAsText(vr: VR) throws {
    let folder = try TemporaryFolder()
    for (text, value) in [("50", 50.0), ("1000", 1000), ("00000800", 800), ("0 ", 0)] {
      var dataset = Phantom.slice(pixels: Array(repeating: 0, count: 24))
      dataset.set(.modality, .CS, "MR")
      dataset.set(Tag(0x0019, 0x0010), .LO, "SIEMENS MR HEADER")
      dataset[Tag(0x0019, 0x100C)] = DataElement(
        vr, vr == .OB || vr == .UN ? .bytes(Array(text.utf8)) : .text(Array(text.utf8)))
      let path = try Phantom.write(dataset, "b.dcm", in: folder)
      #expect(try DICOMFile(path: path).imageFrames().first?.bValue == value, "\(vr) \(text)")
    }
  }

  @Test func aBValueInBinaryIsReadToo() throws {
    var dataset = Dataset()
    dataset.set(Tag(0x2001, 0x0010), .LO, "Philips Imaging DD 001")
    dataset.set(Tag(0x2001, 0x1003), .OB, bytes: [0, 0, 0x7A, 0x44])
    #expect(dataset.reals(.philipsBValue) == [1000])
  }

  @Test func tagsAreShownWithTheirNames() {
    #expect("\(Tag.rows)" == "(0028,0010) Rows")
  }
}
