import DICOM
import Foundation
import Ingest
import Logging
import Results
import SeriesProcessing
import TestSupport
import Testing

@testable import JobLedger
@testable import Pipeline

/// Segmentations that others made of series that we segmented.
@Suite struct SegmentationComparisonTests {
  private let small: SmallJob
  private let comparison: SegmentationComparison
  private static let storage = "1.2.840.10008.5.1.4.1.1.66.4"
  private static let labelMapStorage = "1.2.840.10008.5.1.4.1.1.66.7"

  init() async throws {
    small = try await SmallJob()
    comparison = SegmentationComparison(
      state: small.state, ledger: small.ledger, logger: Logger(label: "test"))
  }

  /// Takes segmentations too.
  private var intake: Intake {
    Intake(
      state: small.state, ledger: small.ledger,
      receptions: ReceptionLog(ledger: small.ledger, logger: Logger(label: "test")),
      storedClasses: [Self.storage, Self.labelMapStorage, StructureSetStorage.sopClassUID],
      logger: Logger(label: "test"))
  }

  /// The bits of each segment of a binary object with whole bytes in each frame.
  private struct Bits {
    var dataset: Dataset
    var pixels: [UInt8]

    init(_ file: URL) throws { (dataset, pixels) = try DICOMFile.withNativePixels(path: file.path) }

    var frameBytes: Int { (dataset.integer(.rows) ?? 0) * (dataset.integer(.columns) ?? 0) / 8 }

    func counts() -> [String: Int] {
      var names: [Int: String] = [:]
      for segment in dataset.items(.segmentSequence) {
        names[segment.integer(.segmentNumber) ?? 0] = segment.text(.segmentLabel)
      }
      var counts: [String: Int] = [:]
      for (index, frame) in dataset.items(.perFrameFunctionalGroups).enumerated() {
        let number = frame.items(.segmentIdentificationSequence).first?
          .integer(.referencedSegmentNumber)
        let bits = pixels[index * frameBytes..<(index + 1) * frameBytes]
          .reduce(0) { $0 + $1.nonzeroBitCount }
        counts[names[number ?? 0] ?? "", default: 0] += bits
      }
      return counts
    }
  }

  private func result() throws -> URL {
    small.state.file("results/\(small.id)/segmentation.dcm")
  }

  /// Our object as a person would have changed it, sent back.
  private func receive(_ change: (inout Bits) -> Void = { _ in }, number: Int = 1) throws -> Bits {
    var bits = try Bits(try result())
    bits.dataset.set(.manufacturer, .LO, "Some Workstation")
    bits.dataset.set(.manufacturerModelName, .LO, "5.2")
    bits.dataset.set(.sopInstanceUID, .UI, "2.25.88\(number)")
    bits.dataset.set(.seriesInstanceUID, .UI, "2.25.99\(number)")
    change(&bits)
    var written = bits.dataset
    written.set(.pixelData, .OB, bytes: bits.pixels)
    let file = small.folder.url.appendingPathComponent("external-\(number).dcm")
    try written.write(to: file.path)
    try intake.take(copyOf: file)
    return bits
  }

  private func runJob() async throws {
    #expect(try await small.runner.runNext { _ in })
    try #require(try small.ledger.job(small.id).job.state == "completed")
  }

  private func compareAll() throws {
    while try comparison.compareNext() {}
  }

  @Test func aCorrectedSegmentationIsScored() async throws {
    try await runJob()
    let ours = try Bits(try result()).counts()
    // Every fourth byte is emptied.
    let theirs = try receive { bits in
      for index in bits.pixels.indices where index % 4 == 0 { bits.pixels[index] = 0 }
    }.counts()
    try compareAll()
    let found = try #require(try small.ledger.comparisons().first)
    #expect(found.job == small.id && found.seriesInstanceUID == small.series && found.fault == nil)
    #expect(found.madeWith == "Some Workstation 5.2" && found.model == "untrained-tiny")
    #expect(found.scores.count == ours.count && !found.scores.isEmpty)
    for score in found.scores {
      let (a, b) = (ours[score.segment] ?? 0, theirs[score.segment] ?? 0)
      #expect(a > b && b > 0, "\(score.segment)")
      #expect(abs(score.dice - 2 * Double(b) / Double(a + b)) < 1e-9, "\(score.segment)")
      #expect(abs(score.theirMillilitres / score.ourMillilitres - Double(b) / Double(a)) < 1e-9)
      #expect(score.hd95 != nil)
    }
    #expect(try small.ledger.job(small.id).events.contains { $0.kind == "compared" })
    // Nothing more is to be done, and filters choose.
    #expect(try !comparison.compareNext())
    #expect(try small.ledger.comparisons(model: "other").isEmpty)
    #expect(try small.ledger.comparisons(since: Date() + 3600).isEmpty)
    #expect(try small.ledger.comparisons(since: Date() - 3600).count == 1)
  }

  /// As a label map says the same: a frame for each plane, whose pixels are the numbers of the segments.
  private func labelMap(of bits: Bits) -> (Dataset, [UInt8]) {
    var dataset = bits.dataset
    var planes: [(position: [Double], item: Dataset, pixels: [UInt8])] = []
    for (index, frame) in dataset.items(.perFrameFunctionalGroups).enumerated() {
      let position = frame.items(.planePositionSequence).first?.reals(.imagePosition) ?? []
      let number = frame.items(.segmentIdentificationSequence).first?
        .integer(.referencedSegmentNumber)
      if !planes.contains(where: { $0.position == position }) {
        var item = frame
        item[.segmentIdentificationSequence] = nil
        planes.append((position, item, [UInt8](repeating: 0, count: 8 * bits.frameBytes)))
      }
      guard let place = planes.firstIndex(where: { $0.position == position }) else { continue }
      for pixel in 0..<8 * bits.frameBytes
      where bits.pixels[index * bits.frameBytes + pixel / 8] & (1 << UInt8(pixel % 8)) != 0 {
        planes[place].pixels[pixel] = UInt8(clamping: number ?? 0)
      }
    }
    dataset.set(.sopClassUID, .UI, Self.labelMapStorage)
    dataset.set(.segmentationType, .CS, "LABELMAP")
    for (tag, value) in [(DICOM.Tag.bitsAllocated, 8), (.bitsStored, 8), (.highBit, 7)] {
      dataset.set(tag, .US, value)
    }
    dataset.set(.numberOfFrames, .IS, "\(planes.count)")
    dataset.set(.perFrameFunctionalGroups, planes.map(\.item))
    return (dataset, planes.flatMap(\.pixels))
  }

  /// Label maps of others are scored as segmentations are, in the order in which they come.
  @Test func aLabelMapIsScored() async throws {
    try await runJob()
    try compareAll()
    var bits = try Bits(try result())
    for index in bits.pixels.indices where index % 4 == 0 { bits.pixels[index] = 0 }
    var (dataset, pixels) = labelMap(of: bits)
    dataset.set(.manufacturer, .LO, "Some Workstation")
    for number in [1, 3] {
      dataset.set(.sopInstanceUID, .UI, "2.25.77\(number)")
      dataset.set(.seriesInstanceUID, .UI, "2.25.66\(number)")
      dataset.set(.pixelData, .OB, bytes: pixels)
      let file = small.folder.url.appendingPathComponent("map-\(number).dcm")
      try dataset.write(to: file.path)
      try intake.take(copyOf: file)
      if number == 1 {
        _ = try receive({ $0.pixels = bits.pixels }, number: 2)
      }
      pixels = pixels.map { $0 == 1 ? 0 : $0 }
    }
    try compareAll()
    let found = try small.ledger.comparisons()
    #expect(found.map(\.sopInstanceUID) == ["2.25.771", "2.25.882", "2.25.773"])
    #expect(found.allSatisfy { $0.fault == nil }, "\(found)")
    #expect(found[0].scores == found[1].scores && !found[0].scores.isEmpty)
    #expect(found[0].scores.allSatisfy { $0.dice > 0 && $0.dice < 1 })
    #expect(found[2].scores.contains { $0.dice == 0 })
    let events = try small.ledger.job(small.id).events.filter { $0.kind == "compared" }
    #expect(events.count == 3)
    #expect(try !comparison.compareNext())
    // Another process would find no more either.
    let other = SegmentationComparison(
      state: small.state, ledger: small.ledger, logger: Logger(label: "test"))
    #expect(try !other.compareNext())
  }

  /// The other way round, the result comes later; a new version of the correction is compared anew.
  @Test func theOrderDoesNotMatter() async throws {
    let other = try await SmallJob(series: small)
    #expect(try await other.runner.runNext { _ in })
    let result = other.state.file("results/\(other.id)/segmentation.dcm")
    var (dataset, pixels) = try DICOMFile.withNativePixels(path: result.path)
    dataset.set(.sopInstanceUID, .UI, "2.25.881")
    dataset.set(.pixelData, .OB, bytes: pixels)
    let file = small.folder.url.appendingPathComponent("external.dcm")
    try dataset.write(to: file.path)
    try intake.take(copyOf: file)
    try compareAll()
    #expect(try small.ledger.comparisons().isEmpty)
    try await runJob()
    try compareAll()
    #expect(
      try small.ledger.comparisons().map { $0.scores.map(\.dice) }.first?.allSatisfy { $0 == 1 }
        == true)
    // The same instance with other pixels.
    for index in pixels.indices where index % 2 == 0 { pixels[index] = 0 }
    dataset.set(.pixelData, .OB, bytes: pixels)
    try dataset.write(to: file.path)
    try intake.take(copyOf: file)
    try compareAll()
    let now = try small.ledger.comparisons()
    #expect(now.count == 1 && now[0].scores.allSatisfy { $0.dice < 1 })
  }

  /// As it was sent, with a Manufacturer that an archive coerced or not.
  @Test(arguments: ["segmentd", "Some Archive"])
  func ourOwnObjectsAreIgnored(maker: String) async throws {
    try await runJob()
    let sent = try Bits(try result()).dataset
    _ = try receive { bits in
      bits.dataset = sent
      bits.dataset.set(.manufacturer, .LO, maker)
    }
    try compareAll()
    #expect(try small.ledger.comparisons().isEmpty)
  }

  /// Whoever made it first: saved in place, or as an instance of its own.
  @Test(arguments: [true, false])
  func aCorrectionThatKeepsOurNameIsScored(isInPlace: Bool) async throws {
    try await runJob()
    let sent = try Bits(try result()).dataset
    _ = try receive { bits in
      bits.dataset = sent
      if !isInPlace { bits.dataset.set(.sopInstanceUID, .UI, "2.25.881") }
      for index in bits.pixels.indices where index % 4 == 0 { bits.pixels[index] = 0 }
    }
    try compareAll()
    let found = try #require(try small.ledger.comparisons().first)
    #expect(found.fault == nil && found.madeWith == "segmentd segmentd")
    #expect(!found.scores.isEmpty && found.scores.allSatisfy { $0.dice < 1 })
  }

  /// The result of another installation on the same images is nobody's correction.
  @Test func whatAnotherInstallationMadeIsIgnored() async throws {
    try await runJob()
    _ = try receive { bits in
      bits.dataset.set(.sopInstanceUID, .UI, "2.25.4711")
      let segments = bits.dataset.items(.segmentSequence).map { segment in
        var other = segment
        let number = segment.integer(.segmentNumber) ?? 0
        other.set(.trackingUID, .UI, DICOMUID.named("2.25.4711/segments/\(number)"))
        return other
      }
      bits.dataset.set(.segmentSequence, segments)
    }
    try compareAll()
    #expect(try small.ledger.comparisons().isEmpty)
  }

  /// The same value in another scheme is another code, and in an older name of the scheme the same.
  @Test func codesAreThoseOfTheirScheme() {
    typealias Code = SegmentationLabels.Code
    #expect(Code(value: "T-62000", scheme: "SNM3") == Code(value: "T-62000", scheme: "SRT"))
    #expect(Code(value: "10200004", scheme: "SCT") != Code(value: "10200004", scheme: "99LOCAL"))
  }

  /// What cannot be compared is told, once, and nothing else stops.
  @Test func whatCannotBeComparedIsTold() async throws {
    try await runJob()
    _ = try receive({ $0.dataset[.referencedSeriesSequence] = nil }, number: 1)
    _ = try receive(
      { bits in
        let segments = bits.dataset.items(.segmentSequence).map { segment in
          var other = segment
          var code = Dataset()
          // Our value, in a scheme in which it means something else.
          let type = segment.items(.segmentedPropertyTypeCodeSequence).first
          code.set(.codeValue, .SH, type?.text(.codeValue) ?? "")
          code.set(.codingSchemeDesignator, .SH, "99LOCAL")
          other.set(.segmentedPropertyTypeCodeSequence, [code])
          return other
        }
        bits.dataset.set(.segmentSequence, segments)
      }, number: 2)
    _ = try receive(
      { bits in
        let frames = bits.dataset.items(.perFrameFunctionalGroups).map { frame in
          var moved = frame
          var plane = Dataset()
          plane.set(.imagePosition, .DS, "0.3\\0.4\\0.2")
          moved.set(.planePositionSequence, [plane])
          return moved
        }
        bits.dataset.set(.perFrameFunctionalGroups, frames)
      }, number: 3)
    try compareAll()
    let faults = try small.ledger.comparisons().compactMap(\.fault)
    #expect(faults.count == 2)
    #expect(faults.contains { $0.contains("has the codes of a structure") }, "\(faults)")
    #expect(
      faults.contains { $0.contains("not on the voxels") || $0.contains("overlaps") }, "\(faults)")
    #expect(try small.ledger.comparisons().allSatisfy { $0.scores.isEmpty })
  }
}
