import DICOM
import Foundation
import Terminology
import TestSupport
import Testing
import Volumes

@testable import Results

/// An object that describes its model otherwise than the bundle on disk does is no result, whatever the writer was
/// given.
@Suite struct ModelProofTests {
  /// What the writer is given that is not what the bundle says.
  struct Fault: CustomTestStringConvertible, Sendable {
    var testDescription: String
    /// What the proof must name.
    var tag: DICOM.Tag
    var change: @Sendable (inout [SegmentDescription], inout ResultOrigin) -> Void

    init(
      _ what: String, _ tag: DICOM.Tag,
      _ change: @escaping @Sendable (inout [SegmentDescription], inout ResultOrigin) -> Void
    ) { (testDescription, self.tag, self.change) = (what, tag, change) }
  }

  static let faults: [Fault] = [
    Fault("names swapped", .segmentLabel) { segments, _ in
      (segments[0].name, segments[2].name) = (segments[2].name, segments[0].name)
    },
    Fault("the name of a structure that was not found", .segmentLabel) { segments, _ in
      segments[1].name = "Liver"
    },
    Fault("another category", .segmentedPropertyCategoryCodeSequence) { segments, _ in
      segments[0].category.value = "49755003"
    },
    Fault("another type", .segmentedPropertyTypeCodeSequence) { segments, _ in
      segments[0].type.value = "10200004"
    },
    Fault("another scheme of the type", .segmentedPropertyTypeCodeSequence) { segments, _ in
      segments[2].type.scheme = "SRT"
    },
    Fault("another meaning of the type", .segmentedPropertyTypeCodeSequence) { segments, _ in
      segments[2].type.meaning = "Stomach"
    },
    Fault("the other side", .segmentedPropertyTypeModifierCodeSequence) { segments, _ in
      segments[0].modifier = CodedConcept(value: "7771000", scheme: "SCT", meaning: "Left")
    },
    Fault("no side", .segmentedPropertyTypeModifierCodeSequence) { segments, _ in
      segments[0].modifier = nil
    },
    Fault("a region", .anatomicRegionSequence) { segments, _ in
      segments[2].anatomicRegion = PhantomLabels.anatomy
    },
    Fault("colours swapped", .recommendedDisplayCIELabValue) { segments, _ in
      (segments[0].color, segments[2].color) = (segments[2].color, segments[0].color)
    },
    Fault("a colour a 255th off", .recommendedDisplayCIELabValue) { segments, _ in
      segments[0].color[1] += 1
    },
    Fault("a structure less", .segmentSequence) { segments, _ in segments.remove(at: 1) },
    Fault("a structure more", .segmentSequence) { segments, _ in
      var more = segments[1]
      (more.value, more.labels) = (3, [3])
      segments.append(more)
    },
    Fault("another label of a structure", .segmentSequence) { segments, _ in
      (segments[1].value, segments[1].labels) = (3, [3])
    },
    Fault("another name of the model", .segmentAlgorithmName) { _, origin in
      origin.modelName = "phantoms"
    },
    Fault("another version of the model", .algorithmVersion) { _, origin in
      origin.modelVersion = "1.0.1"
    },
  ]

  private let series: PhantomSeries
  private let labels: LabelVolume
  private let model = PhantomModel(PhantomLabels.segments)
  private var path: String { series.folder.url.appendingPathComponent("object.dcm").path }

  init() throws {
    series = try PhantomSeries()
    labels = PhantomLabels.volume(on: series.stack.sourceGrid)
  }

  private func objects(
    _ segments: [SegmentDescription], _ origin: ResultOrigin
  ) throws -> [any ResultObject] {
    let identity = ResultIdentity(fingerprint: String(repeating: "a", count: 64))
    let segmentation = SegmentationObject(
      labels, stack: series.stack, segments: segments, origin: origin,
      identifiers: PhantomLabels.identifiers)
    let measured = series.folder.url.appendingPathComponent("measured.dcm").path
    _ = try segmentation.write(to: measured)
    return [
      segmentation,
      SegmentationObject(
        labels, stack: series.stack, segments: segments, origin: origin,
        identifiers: PhantomLabels.identifiers, form: .labelMap),
      StructureSet(
        labels, stack: series.stack, segments: segments, origin: origin,
        identifiers: PhantomLabels.identifiers),
      try CaptureSeries(
        labels, stack: series.stack, segments: segments, origin: origin, identity: identity
      ).frames(),
      MeasurementReport(
        [try segmentation.measured(at: measured)], of: [series.stack], segments: segments,
        origin: origin, identity: identity),
    ]
  }

  @Test(arguments: faults) func whatTheWriterWasGivenIsComparedWithTheBundle(_ fault: Fault) throws
  {
    var segments = PhantomLabels.segments
    var origin = model.described(PhantomLabels.origin)
    for object in try objects(segments, origin) {
      #expect(try object.write(to: path) == .written)
      try object.prove(path)
    }
    fault.change(&segments, &origin)
    for object in try objects(segments, origin) {
      #expect(try object.write(to: path) == .written)
      let error = #expect(throws: ProofError.self, "\(type(of: object))") { try object.prove(path) }
      #expect(
        error?.reason.contains("\(fault.tag)") == true, "\(type(of: object)): \(error as Any)")
    }
  }

  /// A part of a result, a measured structure and a part of the heart are the model's too.
  @Test func partsAreTheModels() throws {
    let origin = model.described(PhantomLabels.origin)
    var other = PhantomLabels.segments[0]
    other.name = "Liver"
    let part = SegmentationObject(
      labels, stack: series.stack, segments: PhantomLabels.segments, holding: [other],
      origin: origin, identifiers: PhantomLabels.identifiers)
    #expect(try part.write(to: path) == .written)
    let error = #expect(throws: ProofError.self) { try part.prove(path) }
    #expect(error?.reason.contains("model.yaml does not have") == true, "\(error as Any)")
    let report = try ReportSeries()
    let heart = MeasurementReport(
      report.report.segmentations, of: report.report.stacks, segments: PhantomLabels.segments,
      heart: HeartStructures(cavities: [other], myocardium: nil, density: 1),
      origin: report.report.origin,
      identity: ResultIdentity(fingerprint: String(repeating: "a", count: 64)))
    #expect(try heart.write(to: report.path) == .written)
    #expect(throws: ProofError.self) { try heart.prove(report.path) }
  }

  /// Groupings that overlap have no place in a label map, which has the model's labels in place of them.
  @Test func aLabelMapOfOverlappingGroupingsIsOfTheLabels() throws {
    var document = """
      {name: phantom, version: 1.0.0, segments: groupings,
       weights: {sha256: \(String(repeating: "c", count: 64))},
       labels: [
      """
    func part(_ place: String, _ segment: SegmentDescription) -> String {
      """
      {\(place), name: \(segment.name), color: \(segment.color),
       category: {value: "91723000", scheme: SCT, meaning: Anatomical Structure},
       type: {value: "\(segment.type.value)", scheme: SCT, meaning: \(segment.type.meaning)}},
      """
    }
    var segments = PhantomLabels.segments
    segments[0].modifier = nil
    for segment in segments { document += part("value: \(segment.value)", segment) }
    document += "], groupings: ["
    var (whole, core) = (segments[0], segments[2])
    (whole.labels, whole.name, core.labels) = ([1, 5, 2], "Whole", [1])
    for one in [whole, core] { document += part("labels: \(one.labels.sorted())", one) }
    document += "]}"
    let file = series.folder.url.appendingPathComponent("model.yaml")
    try Data(document.utf8).write(to: file)
    var origin = PhantomLabels.origin
    origin.modelFile = file.path
    origin.modelSHA256 = try ModelRecord(file.path).sha256
    let proof = try ModelProof(path, origin)
    try proof.prove([whole, core], are: .held)
    try proof.prove(segments, are: .disjoint)
    try proof.prove(segments, are: .labels)
    #expect(throws: ProofError.self) { try proof.prove(segments, are: .held) }
    #expect(throws: ProofError.self) { try proof.prove([whole, core], are: .disjoint) }
  }

  /// The bundles that are delivered and those of tests are read as they are loaded.
  @Test func theSumIsThatOfTheBundle() throws {
    let file = TestFiles.fixtures.appendingPathComponent("models/untrained-tiny/model.yaml")
    let record = try ModelRecord(file.path)
    #expect(record.name == "untrained-tiny" && record.version == "1.0.0")
    #expect(record.labels.map(\.value) == [1, 2, 3, 4] && record.groupings == [])
    #expect(
      record.labels[2].type == CodedConcept(value: "15825003", scheme: "SCT", meaning: "Aorta"))
    #expect(record.labels[2].color == [224, 50, 40])
    let sum = try run("/usr/bin/sha256sum", [file.path]).prefix(64)
    let text = "202ef0deddd6763034df3d6a62106d13d0554b94b7d6842c7e3c56bc5610bb2f\n\(sum)"
    let both = series.folder.url.appendingPathComponent("sums")
    try Data(text.utf8).write(to: both)
    #expect(try run("/usr/bin/sha256sum", [both.path]).prefix(64) == record.sha256)
  }

  private func run(_ tool: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: tool)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: output, as: UTF8.self)
  }

  /// A bundle that is replaced while it is used, or gone, is told from an object that is wrong.
  @Test func aReplacedBundleIsNoFailedProof() throws {
    let file = series.folder.url.appendingPathComponent("model.yaml")
    var origin = model.described(PhantomLabels.origin)
    let document = try Data(contentsOf: URL(fileURLWithPath: origin.modelFile))
    try document.write(to: file)
    origin.modelFile = file.path
    let object = try objects(PhantomLabels.segments, origin)[0]
    #expect(try object.write(to: path) == .written)
    try object.prove(path)
    for text in [Data("# \n".utf8) + document, Data("[1, 2".utf8), Data("name: other".utf8)] {
      try text.write(to: file)
      let error = #expect(throws: ProofError.self) { try object.prove(path) }
      guard case .modelChanged = error else {
        Issue.record("\(error as Any)")
        continue
      }
    }
    try FileManager.default.removeItem(at: file)
    let error = #expect(throws: ProofError.self) { try object.prove(path) }
    guard case .modelUnreadable = error else {
      Issue.record("\(error as Any)")
      return
    }
  }
}
