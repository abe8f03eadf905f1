import DICOM
import FileSystem
import Foundation
import TestSupport
import Testing
import Volumes

@testable import Results

/// De-identified copies of results: nothing of the patient is in them, and all of the result is.
@Suite struct DeidentificationTests {
  private let key = DeidentificationKey()
  private var deidentifier: Deidentifier { Deidentifier(key: key) }

  /// A series in which every attribute that a result copies has a value that nothing else has.
  private func series() throws -> ReportSeries {
    var origin = PhantomLabels.origin
    origin.remarks = ["Body Part Examined (0018,0015) is REMARK-OF-SITE"]
    origin.deviceSerialNumber = "SITE-OF-ORIGIN"
    origin.moment = try #require(StatedMoment(date: Self.scanDate, time: Self.scanTime))
    return try ReportSeries(origin: origin) { dataset in
      for (index, (tag, vr)) in Self.copied.enumerated() {
        dataset.set(tag, vr, Self.value(vr, index))
      }
      for (index, tag) in CopiedAttributes.identifying.sorted().enumerated()
      where dataset[tag] == nil {
        var item = Dataset()
        item.set(.codeValue, .SH, "SECRET-\(index)")
        item.set(.codingSchemeDesignator, .SH, "99SITE")
        item.set(.codeMeaning, .LO, "SECRET-MEANING-\(index)")
        item.set(.referencedSOPInstanceUID, .UI, "1.3.6.1.4.1.5962.99.77.\(index)")
        dataset.set(tag, [item])
      }
      // It begins as the model is called.
      dataset.set(.seriesDescription, .LO, "phantom SECRET-SERIES")
      dataset.set(.stationName, .SH, "SECRET-STATION")
      dataset.set(.manufacturer, .LO, "SECRET-MAKER")
      dataset.set(.manufacturerModelName, .LO, "SECRET-SCANNER")
      dataset.set(.deviceSerialNumber, .LO, "SECRET-SERIAL-NUMBER")
      dataset.set(.softwareVersions, .LO, "SECRET-SOFTWARE")
      dataset.set(.protocolName, .LO, "SECRET-PROTOCOL")
      for tag in [DICOM.Tag.acquisitionDate, .contentDate, .seriesDate, .instanceCreationDate] {
        dataset.set(tag, .DA, Self.scanDate)
      }
      for tag in [DICOM.Tag.acquisitionTime, .contentTime, .seriesTime, .instanceCreationTime] {
        dataset.set(tag, .TM, Self.scanTime)
      }
      dataset.set(.studyInstanceUID, .UI, "1.3.6.1.4.1.5962.99.1.4711")
      dataset.set(.frameOfReferenceUID, .UI, "1.3.6.1.4.1.5962.99.1.4713")
      dataset.set(.timezoneOffsetFromUTC, .SH, "+0845")
      dataset.set(.positionReferenceIndicator, .LO, "SECRET-POSITION")
    }
  }

  /// When the images were acquired: the result's dates and times follow from it.
  private static let scanDate = "20190523"
  private static let scanTime = "042337.918273"

  private static let copied =
    CopiedAttributes.required
    + CopiedAttributes.optional
    .filter { ![.specificCharacterSet, .bodyPartExamined, .laterality].contains($0.tag) }
    + CopiedAttributes.clinicalTrial

  private static func value(_ vr: VR, _ index: Int) -> String {
    switch vr {
    case .DA: "197\(index % 10)0317"
    // So long that no new UID has it by chance.
    case .TM: "0417\(10 + index % 40).\(4000 + index)"
    case .DS: "71.\(4000 + index)"
    case .AS: "077Y"
    case .CS: "SECRET_\(index)"
    case .PN: "Secret\(index)^Patient"
    default: "SECRET-\(index)"
    }
  }

  /// Bytes of a file that are nowhere in it.
  private func expect(_ values: [String], notIn file: String) throws {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
    for value in values {
      #expect(bytes.range(of: Data(value.utf8)) == nil, "\(value)")
    }
  }

  @Test func noValueOfTheSourceIsInAnyByte() throws {
    let series = try series()
    try series.write()
    var secrets = [
      "SECRET", "Secret", "REMARK-OF-SITE", "SITE-OF-ORIGIN", "+0845", "5962.99", "077Y",
      Self.scanDate, Self.scanTime,
    ]
    secrets += Self.copied.indices.map { Self.value(Self.copied[$0].vr, $0) }
    secrets += series.series.stack.frames.map(\.sopInstanceUID)
    for path in [series.segmentation.path, series.path] + (try others(series)) {
      let before = try DICOMFile(path: path).dataset
      let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      for secret in [
        "Secret0^Patient", "SECRET-STATION", "SECRET-SCANNER", "SECRET-SERIAL-NUMBER",
        "SECRET-SOFTWARE", "5962.99", Self.scanDate,
      ] {
        #expect(bytes.range(of: Data(secret.utf8)) != nil, "the source's \(secret) is not copied")
      }
      let copy = series.series.folder.url.appendingPathComponent("copy.dcm").path
      try deidentifier.write(path, to: copy)
      let uids = [DICOM.Tag.sopInstanceUID, .seriesInstanceUID, .studyInstanceUID]
      try expect(
        secrets + uids.compactMap { before.text($0) }.filter { $0.count > 12 }, notIn: copy)
      let after = try DICOMFile(path: copy).dataset
      #expect(Self.moments(before).contains("042337"))
      #expect(Self.moments(after).isSubset(of: ["19000101", "000000", ""]), "\(path)")
      #expect(try mode(copy) == 0o600)
    }
  }

  /// All dates, times and ages of a dataset, those of its items too.
  private static func moments(_ dataset: Dataset) -> Set<String> {
    var moments: Set<String> = []
    for (tag, element) in dataset.elements {
      if [.DA, .TM, .DT, .AS].contains(element.vr) { moments.formUnion(dataset.texts(tag)) }
      for item in dataset.items(tag) { moments.formUnion(Self.moments(item)) }
    }
    return moments
  }

  /// The same labels as a label map, as probabilities and as a structure set.
  private func others(_ series: ReportSeries) throws -> [String] {
    let origin = series.report.origin
    let objects: [any ResultObject] = [
      series.series.segmentation(series.labels, origin: origin, form: .labelMap),
      series.series.segmentation(
        series.labels, probabilities: PhantomLabels.probabilities(of: series.labels),
        origin: origin, form: .fractional),
      series.series.structures(series.labels, origin: origin),
    ]
    var paths: [String] = []
    for (index, object) in objects.enumerated() {
      paths.append(series.series.folder.url.appendingPathComponent("other-\(index).dcm").path)
      #expect(try object.write(to: paths[index]) == .written)
    }
    return paths
  }

  /// Nothing of the source's description stays, also where it begins like one of ours, and whatever dash is
  /// between it and the model.
  @Test(arguments: [
    ("ISO_IR 100", [UInt8]()), ("ISO_IR 192", [0xE5, 0xB1, 0xB1]), ("GB18030", [0xD0, 0xA1]),
    ("GBK", [0xD5, 0x5C]), ("\\ISO 2022 IR 87", [0x1B, 0x24, 0x42, 0x3B, 0x33, 0x1B, 0x28, 0x42]),
  ]) func aDescriptionIsOfTheModelAlone(characterSet: String, letters: [UInt8]) throws {
    for beginning in [
      "phantom SECRET", "phantom SECRET - phantom", "phantom (research use only) SECRET",
    ] {
      let series = try ReportSeries(change: { dataset in
        dataset.set(.specificCharacterSet, .CS, characterSet)
        dataset.set(.patientName, .PN, "Phantom")
        dataset[.seriesDescription] = DataElement(.LO, .text(Array(beginning.utf8) + letters))
      })
      try series.write()
      let paths = [series.segmentation.path, series.path] + (try others(series))
      let copy = series.series.folder.url.appendingPathComponent("copy.dcm").path
      let descriptions = try paths.map { path in
        let source = try DICOMFile(path: path).dataset[.seriesDescription]
        guard case .text(let bytes) = source?.value else { return "" }
        // The longest leaves no room for it next to some kinds.
        if !beginning.contains("(") { #expect(Data(bytes).range(of: Data("SECRET".utf8)) != nil) }
        try deidentifier.write(path, to: copy)
        try expect(["SECRET"], notIn: copy)
        return try DICOMFile(path: copy).dataset.text(.seriesDescription) ?? ""
      }
      #expect(
        descriptions
          == ["", " report", " label map", " probabilities", " structures"]
          .map { "phantom\($0) (research use only)" })
    }
  }

  /// Voxels, positions and segments stay; a report refers to the segmentation by its new UID.
  @Test func theResultIsTheSame() async throws {
    let series = try series()
    try series.write()
    let folder = series.series.folder.url
    let paths = ["segmentation", "report"].map { folder.appendingPathComponent("\($0).dcm").path }
    try deidentifier.write(series.segmentation.path, to: paths[0])
    try deidentifier.write(series.path, to: paths[1])
    let (before, pixels) = try DICOMFile.withNativePixels(path: series.segmentation.path)
    let (after, newPixels) = try DICOMFile.withNativePixels(path: paths[0])
    #expect(newPixels == pixels)
    for tag in [
      DICOM.Tag.sharedFunctionalGroups, .rows, .columns, .numberOfFrames, .dimensionIndexValues,
      .segmentsOverlap, .modality, .sopClassUID,
    ] { #expect(after[tag] == before[tag], "\(tag)") }
    let positions = { (dataset: Dataset) in
      dataset.items(.perFrameFunctionalGroups).map {
        $0.items(.planePositionSequence).first?.reals(.imagePosition)
      }
    }
    #expect(positions(after) == positions(before))
    #expect(
      after.items(.segmentSequence).map { $0.text(.segmentLabel) }
        == before.items(.segmentSequence).map { $0.text(.segmentLabel) })
    #expect(
      after.items(.segmentSequence).first?.text(.segmentDescription)
        == "Warning: the result is unusual")

    let report = try DICOMFile(path: paths[1]).dataset
    #expect(report.text(.patientID) == after.text(.patientID))
    #expect(report.text(.studyInstanceUID) == after.text(.studyInstanceUID))
    #expect(after.text(.studyInstanceUID) == key.uid("1.3.6.1.4.1.5962.99.1.4711"))
    let bytes = try Data(contentsOf: URL(fileURLWithPath: paths[1]))
    let uid = try #require(after.text(.sopInstanceUID))
    #expect(bytes.range(of: Data(uid.utf8)) != nil, "the report does not refer to \(uid)")
    #expect(after.text(.seriesDescription)?.hasSuffix("(research use only)") == true)
    for path in paths {
      let check = try await runProcess("/usr/bin/dciodvfy", [path])
      let errors = check.output.split(separator: "\n").filter { $0.hasPrefix("Error") }
      #expect(errors == [], "\(errors)")
    }
  }

  /// The pixels of the images are in them, and what may be burned into these.
  @Test func capturesAreRefused() throws {
    let phantom = try CapturePhantom()
    let series = phantom.captures
    let copy = phantom.series.folder.url.appendingPathComponent("copy.dcm").path
    for object in [series.frames(), series.page(millilitres: phantom.millilitres)]
      + series.singleFrames().prefix(1)
    {
      let path = try phantom.write(object)
      #expect(throws: DeidentificationError.self) { try deidentifier.write(path, to: copy) }
      #expect(FileStatus(copy) == nil)
    }
  }

  /// A description that is also the name of a structure, and a frame of reference of the standard.
  @Test func whatIsNoSecretHindersNothing() throws {
    let series = try ReportSeries(change: { dataset in
      dataset.set(.studyDescription, .LO, "Right kidney")
      dataset.set(.bodyPartExamined, .CS, "RIGHT KIDNEY")
      dataset.set(.frameOfReferenceUID, .UI, "1.2.840.10008.1.4.1.1")
    })
    try series.write()
    let copy = series.series.folder.url.appendingPathComponent("copy.dcm").path
    for path in [series.segmentation.path, series.path] {
      try deidentifier.write(path, to: copy)
    }
  }

  @Test func labelMapsAndStructureSetsAreDeidentifiedToo() throws {
    var origin = PhantomLabels.origin
    origin.remarks = ["Body Part Examined (0018,0015) is REMARK-OF-SITE"]
    let series = try PhantomSeries { dataset in
      dataset.set(.patientName, .PN, "Secret^Patient")
      dataset.set(.patientID, .LO, "SECRET-ID")
      dataset.set(.seriesDescription, .LO, "SECRET-SERIES")
    }
    let labels = PhantomLabels.volume(on: series.stack.sourceGrid)
    let path = series.folder.url.appendingPathComponent("object.dcm").path
    let copy = series.folder.url.appendingPathComponent("copy.dcm").path
    let objects: [any ResultObject] = [
      series.segmentation(labels, origin: origin, form: .labelMap),
      series.structures(labels, origin: origin),
    ]
    for object in objects {
      #expect(try object.write(to: path) == .written)
      try deidentifier.write(path, to: copy)
      try expect(["SECRET", "Secret", "REMARK-OF-SITE"], notIn: copy)
      let dataset = try DICOMFile(path: copy).dataset
      #expect(dataset.text(.seriesDescription)?.hasSuffix("(research use only)") == true)
    }
    let text = try DICOMFile(path: copy).dataset.text(.structureSetDescription)
    #expect(text?.hasSuffix("Warning: the result is unusual") == true, "\(text ?? "")")
  }

  private func mode(_ path: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
  }

  // MARK: The proof

  static let faults: [WrittenFault] = [
    .text(.patientName, .PN, "Doe^Jane"), .text(.patientID, .LO, "4711"),
    .text(.patientBirthDate, .DA, "19700101"), .text(.studyDate, .DA, "20260102"),
    .text(.accessionNumber, .SH, "A-1"), .text(.referringPhysicianName, .PN, "Roe^R"),
    .text(.studyInstanceUID, .UI, "1.2.3"), .text(.frameOfReferenceUID, .UI, "1.2.3"),
    .text(.deviceSerialNumber, .LO, "CT-1"), .text(.patientIdentityRemoved, .CS, "NO"),
    .text(.seriesDescription, .LO, "liver"),
    .text(.seriesDescription, .LO, "phantom of Jane - phantom (research use only)"),
    .text(.seriesDescription, .LO, "phantom report (research use only)"),
    .at(.contributingEquipmentSequence, "the scanner") {
      var scanner = Dataset()
      scanner.set(.manufacturer, .LO, "Maker")
      $0.set(.contributingEquipmentSequence, [scanner] + $0.items(.contributingEquipmentSequence))
    },
    .at(.segmentDescription, "what is unusual") {
      $0.change(0, of: .segmentSequence) {
        $0.set(
          .segmentDescription, .ST, "Warning: Body Part Examined (0018,0015) is REMARK-OF-SITE")
      }
    }, .text(.institutionName, .LO, "Hospital"),
    .text(.modality, .CS, "CT"), .text(.contentTime, .TM, "101112"),
    .at(DICOM.Tag(0x0009, 0x0010), "a private attribute") {
      $0.set(DICOM.Tag(0x0009, 0x0010), .LO, "SITE")
    },
    .at(.patientSize, "what the original does not have") { $0.set(.patientSize, .DS, "1.8") },
    .at(.segmentSequence, "a segment is gone") {
      $0.set(.segmentSequence, Array($0.items(.segmentSequence).dropLast()))
    },
    .at(.segmentLabel, "another label") {
      $0.change(0, of: .segmentSequence) { $0.set(.segmentLabel, .LO, "Spleen") }
    },
    .at(.referencedSOPInstanceUID, "an image's UID") {
      $0.changeFrame(0) {
        $0.change(0, of: .derivationImageSequence) {
          $0.change(0, of: .sourceImageSequence) {
            $0.set(.referencedSOPInstanceUID, .UI, "2.25.71000")
          }
        }
      }
    },
    .at(.imagePosition, "another position") {
      $0.changeFrame(0) {
        $0.change(0, of: .planePositionSequence) { $0.set(.imagePosition, .DS, "1\\2\\3") }
      }
    },
    .bits("a pixel differs", says: "\(DICOM.Tag.pixelData)") { _, pixels in pixels[0] ^= 1 },
    .file("a name behind the end", .patientName) { $0.append(Data("Secret0^Patient ".utf8)) },
  ]

  @Test(arguments: faults) func theProofFinds(_ fault: WrittenFault) throws {
    let series = try series()
    let copy = series.series.folder.url.appendingPathComponent("copy.dcm").path
    try deidentifier.write(series.segmentation.path, to: copy)
    try fault.inject(into: copy)
    let proof = try DeidentificationProof(of: series.segmentation.path, key: key)
    let error = #expect(throws: ProofError.self) { try proof.prove(copy) }
    let text = "\(try #require(error))"
    // A file with something behind its end may not be readable at all.
    #expect(text.contains(fault.says) || text.contains("copy.dcm"), "\(text)")
  }

  /// What a later version may write without anybody having thought of this.
  @Test func whatHasNoRuleIsNotSent() throws {
    let series = try series()
    let copy = series.series.folder.url.appendingPathComponent("copy.dcm").path
    var (dataset, pixels) = try DICOMFile.withNativePixels(path: series.segmentation.path)
    dataset.set(DICOM.Tag(0x0008, 0x2111), .ST, "of Jane Doe")
    dataset.set(.pixelData, .OB, bytes: pixels)
    pixels = []
    try dataset.write(to: series.segmentation.path)
    let error = #expect(throws: DeidentificationError.self) {
      try deidentifier.write(series.segmentation.path, to: copy)
    }
    #expect("\(try #require(error))".contains("(0008,2111)"))
    #expect(FileStatus(copy) == nil)
  }

  // MARK: The key

  @Test func aKeyIsMadeOnceAndReadAgain() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("uid.key")
    let first = try DeidentificationKey(file: file)
    #expect(try mode(file.path) == 0o600)
    let second = try DeidentificationKey(file: file)
    #expect(first.uid("1.2.3") == second.uid("1.2.3"))
    #expect(first.uid("1.2.3") != DeidentificationKey().uid("1.2.3"))
    #expect(DICOMUID.isValid(first.uid("1.2.3")))
    #expect(
      first.pseudonym(patientID: "1", issuer: "A") != first.pseudonym(patientID: "1", issuer: "B"))
    try Data("no key".utf8).write(to: file)
    let error = #expect(throws: DeidentificationError.self) { try DeidentificationKey(file: file) }
    #expect("\(try #require(error))".hasSuffix("is not a key: 64 hexadecimal digits are due"))
    #expect(throws: DeidentificationError.self) {
      try DeidentificationKey(file: folder.url.appendingPathComponent("none/uid.key"))
    }
  }
}
