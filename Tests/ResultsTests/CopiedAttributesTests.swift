import DICOM
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// A result carries the identity of its source as it is stored.
@Suite struct CopiedAttributesTests {
  /// A value that some archive holds, and its attribute.
  struct Value: CustomTestStringConvertible, Sendable {
    var what: String
    var tag: DICOM.Tag
    var vr: VR
    var bytes: [UInt8]
    var testDescription: String { what }

    init(_ what: String, _ tag: DICOM.Tag, _ vr: VR, _ text: String) {
      (self.what, self.tag, self.vr, bytes) = (what, tag, vr, Array(text.utf8))
    }
  }

  static let values = [
    Value("patient ID of 70 characters", .patientID, .LO, String(repeating: "ab", count: 35)),
    Value("patient ID of 5000 characters", .patientID, .LO, String(repeating: "7", count: 5000)),
    Value("accession number of 20 characters", .accessionNumber, .SH, "20260101-CT-00012345"),
    Value("study ID of 44 characters", .studyID, .SH, "1.2.840.40823.1.1.1.198.1403676817.934.36"),
    Value("birth date with dashes", .patientBirthDate, .DA, "1970-01-01"),
    Value("birth date with dots", .patientBirthDate, .DA, "1970.01.01"),
    Value("birth year", .patientBirthDate, .DA, "1970"),
    Value("study date with dashes", .studyDate, .DA, "2026-01-02"),
    Value("study time with colons", .studyTime, .TM, "10:11:12"),
    Value("sex in words", .patientSex, .CS, "female"),
    Value("age in words", .patientAge, .AS, "56 years"),
    Value("weight with a comma", .patientWeight, .DS, "81,5"),
    Value("body part in mixed case", .bodyPartExamined, .CS, "Oberbauch (nativ)"),
    Value(
      "component groups of more than 64 characters", .patientName, .PN,
      [String](repeating: String(repeating: "Long", count: 20), count: 3).joined(separator: "=")),
    Value("five component groups", .patientName, .PN, "A^B=C=D=E=F"),
    Value("seven components", .referringPhysicianName, .PN, "A^B^C^D^E^F^G"),
    Value("several names", .referringPhysicianName, .PN, "A^B\\C^D"),
    Value("spaces before and behind", .patientID, .LO, "  0042  "),
    Value("spaces before and behind", .patientName, .PN, " Doe ^ Jane ^  "),
    Value("a NUL behind", .patientID, .LO, "0042\0"),
    Value("NULs behind", .accessionNumber, .SH, "A1\0\0\0\0"),
    Value("a NUL within", .patientID, .LO, "00\u{0}42"),
    Value("a line feed", .patientID, .LO, "00\n42"),
    Value("a tabulator", .patientName, .PN, "Doe\tJane"),
    Value("a character set that is none", .specificCharacterSet, .CS, "ISO-IR 192"),
    Value("a character set in lower case", .specificCharacterSet, .CS, "utf8"),
    Value(
      "a description of 90 characters", .studyDescription, .LO, String(repeating: "x", count: 90)),
    Value("an issuer", .issuerOfPatientID, .LO, "Hospital A^1.2.3^ISO"),
  ]

  @Test(arguments: values)
  func anyValueIsCopiedByteForByte(_ value: Value) throws {
    let series = try PhantomSeries {
      $0[value.tag] = DataElement(value.vr, .text(value.bytes))
    }
    let path = try written(series)
    let source = try stored(series.stack.frames[0].file, value.tag)
    // Only padding to an even length may be added.
    #expect(source.starts(with: value.bytes) && source.count <= value.bytes.count + 1)
    #expect(try stored(path, value.tag) == source)
  }

  @Test(arguments: CharacterSetSample.all)
  func namesOfAnyScriptAreCopiedWithTheirCharacterSet(_ sample: CharacterSetSample) throws {
    let series = try phantom(sample)
    let path = try written(series)
    for tag in [DICOM.Tag.patientName, .referringPhysicianName, .studyDescription] {
      #expect(try trimmed(stored(path, tag)) == sample.bytes)
    }
    #expect(try trimmed(stored(path, .specificCharacterSet)) == Array(sample.terms.utf8))
    let dataset = try DICOMFile(path: path).dataset
    if sample.terms == "ISO_IR 192" {
      #expect(
        dataset.items(.segmentSequence).compactMap { $0.text(.segmentLabel) }
          == ["Right kidney", "Œsophagus"])
    } else {
      try expectOwnTextsAreASCII(dataset)
    }
  }

  private func phantom(_ sample: CharacterSetSample) throws -> PhantomSeries {
    try PhantomSeries { dataset in
      dataset.set(.specificCharacterSet, .CS, sample.terms)
      dataset[.patientName] = DataElement(.PN, .text(sample.bytes))
      dataset[.referringPhysicianName] = DataElement(.PN, .text(sample.bytes))
      dataset[.studyDescription] = DataElement(.LO, .text(sample.bytes))
    }
  }

  /// pydicom and highdicom decode what we copied into the name that was meant.
  @Test func otherReadersDecodeTheNames() async throws {
    let folder = try TemporaryFolder()
    for (index, sample) in CharacterSetSample.all.enumerated() {
      let series = try phantom(sample)
      try FileManager.default.copyItem(
        atPath: try written(series), toPath: folder.url.appendingPathComponent("\(index).dcm").path)
    }
    let script = """
      import json, sys, highdicom, pydicom
      names = []
      for index in range(int(sys.argv[2])):
          path = f"{sys.argv[1]}/{index}.dcm"
          names.append([str(d.PatientName.decode()) for d in (pydicom.dcmread(path),
                                                    highdicom.seg.segread(path))])
      json.dump(names, open(sys.argv[1] + "/names.json", "w"))
      """
    let result = try await runProcess(
      testPython, ["-c", script, folder.url.path, "\(CharacterSetSample.all.count)"])
    #expect(result.status == 0, "\(result.output)")
    let names = try JSONDecoder().decode(
      [[String]].self, from: Data(contentsOf: folder.url.appendingPathComponent("names.json")))
    #expect(names == CharacterSetSample.all.map { [$0.name, $0.name] })
  }

  /// Every text that is not copied from the source.
  private func expectOwnTextsAreASCII(_ dataset: Dataset) throws {
    let copied: Set<DICOM.Tag> = [.patientName, .referringPhysicianName, .studyDescription]
    for (tag, element) in dataset.elements where !copied.contains(tag) {
      switch element.value {
      case .text(let bytes):
        // UIDs are padded with a NUL.
        let text = element.vr == .UI && bytes.last == 0 ? bytes.dropLast() : bytes[...]
        #expect(text.allSatisfy { (0x20..<0x7E).contains($0) }, "\(tag)")
      case .items(let items): for item in items { try expectOwnTextsAreASCII(item) }
      default: break
      }
    }
  }

  @Test func whatTheSourceDoesNotStateStaysBlank() throws {
    // Present without a value, with spaces only, and absent.
    let series = try PhantomSeries { dataset in
      dataset.set(.patientBirthDate, .DA, "")
      dataset.set(.accessionNumber, .SH, "    ")
      dataset[.patientSex] = nil
      dataset[.studyID] = nil
      dataset[.specificCharacterSet] = nil
      dataset.set(.patientName, .PN, "Doe^Jane")
      dataset.set(.studyDescription, .LO, "")
    }
    let dataset = try DICOMFile(path: try written(series)).dataset
    for tag in [DICOM.Tag.patientBirthDate, .accessionNumber, .patientSex, .studyID] {
      #expect(dataset[tag]?.isEmpty == true, "\(tag)")
    }
    for tag in [DICOM.Tag.specificCharacterSet, .studyDescription, .patientAge, .issuerOfPatientID]
    {
      #expect(!dataset.contains(tag), "\(tag)")
    }
  }

  @Test func valuesOfUnknownRepresentationAreCopiedToo() throws {
    let series = try PhantomSeries { dataset in
      dataset[.patientID] = DataElement(.UN, .bytes(Array("0042".utf8)))
      dataset[.accessionNumber] = DataElement(.LO, .text(Array("A1".utf8)))
    }
    let dataset = try DICOMFile(path: try written(series)).dataset
    #expect(dataset[.patientID] == DataElement(.LO, .text(Array("0042".utf8))))
    #expect(dataset[.accessionNumber] == DataElement(.SH, .text(Array("A1".utf8))))
  }

  @Test func whatCannotBeCopiedIsNamed() throws {
    for (element, says) in [
      (DataElement(.US, .integers([7])), "its VR is US and not LO"),
      (DataElement(.UN, .bytes([UInt8](repeating: 0x37, count: 70_000))), "70000 bytes"),
    ] {
      let series = try PhantomSeries { $0[.patientID] = element }
      let error = #expect(throws: SegmentationError.self) { try written(series) }
      let found = try #require(error)
      #expect(found.isSourceFault)
      #expect("\(found)".contains("(0010,0020) PatientID of the source instance"), "\(found)")
      #expect("\(found)".contains(says), "\(found)")
    }
  }

  /// The image that states the most gives the identity, not the one that happens to come first.
  @Test func blanksOfOneImageDoNotBlankTheResult() throws {
    for blank in [0, 5] {
      var number = 0
      let series = try PhantomSeries { dataset in
        if number == blank {
          dataset.set(.accessionNumber, .SH, "")
          dataset[.patientName] = nil
        }
        number += 1
      }
      let dataset = try DICOMFile(path: try written(series)).dataset
      #expect(dataset.text(.accessionNumber) == "A1")
      #expect(dataset.text(.patientName) == "Müller^A")
    }
  }

  @Test func valuesOfDifferentImagesAreNotMixed() throws {
    var number = 0
    let series = try PhantomSeries { dataset in
      dataset.set(number % 2 == 0 ? .accessionNumber : .studyID, .SH, "")
      number += 1
    }
    let error = #expect(throws: SegmentationError.self) { try written(series) }
    let text = "\(try #require(error))"
    #expect(text.contains("(0008,0050)") || text.contains("(0020,0010)"), "\(text)")
  }

  @Test func sequencesAreCopiedWithoutPrivateElements() throws {
    let creator = DICOM.Tag(0x0009, 0x0010)
    let ours = DICOM.Tag(0x0009, 0x1001)
    let universalID = DICOM.Tag(0x0040, 0x0032)
    let series = try PhantomSeries { dataset in
      dataset.set(creator, .LO, "ACME 1.0")
      dataset.set(ours, .LO, "secret")
      var issuer = Dataset()
      issuer.set(universalID, .UT, "1.2.3")
      issuer.set(creator, .LO, "ACME 1.0")
      issuer.set(ours, .LO, "secret")
      dataset.set(.issuerOfAccessionNumberSequence, [issuer])
    }
    let dataset = try DICOMFile(path: try written(series)).dataset
    #expect(dataset.elements.keys.allSatisfy { $0.group % 2 == 0 })
    let issuers = dataset.items(.issuerOfAccessionNumberSequence)
    #expect(issuers.map { $0.text(universalID) } == ["1.2.3"])
    #expect(issuers.allSatisfy { $0.elements.count == 1 })
  }

  /// Writes and proves.
  private func written(_ series: PhantomSeries) throws -> String {
    let path = series.folder.url.appendingPathComponent("seg.dcm").path
    let object = series.segmentation(PhantomLabels.volume(on: series.stack.grid))
    #expect(try object.write(to: path) == .written)
    try object.prove(path)
    return path
  }

  private func stored(_ path: String, _ tag: DICOM.Tag) throws -> [UInt8] {
    try #require(try DICOMFile.storedValues(of: [tag], path: path)[tag])
  }

  private func trimmed(_ bytes: [UInt8]) -> [UInt8] {
    bytes.last == 0x20 ? Array(bytes.dropLast()) : bytes
  }
}
