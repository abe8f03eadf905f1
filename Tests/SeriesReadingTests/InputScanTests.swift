import DICOM
import Foundation
import GeometryGate
import TestSupport
import Testing

@testable import SeriesReading

@Suite struct InputScanTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// An MR slice; `change` makes it another object.
  private func write(_ name: String, _ change: (inout Dataset) -> Void = { _ in }) throws {
    var image = Dataset()
    image.set(.sopClassUID, .UI, "1.2.840.10008.5.1.4.1.1.4")
    image.set(.sopInstanceUID, .UI, DICOMUID.named(UUID().uuidString))
    image.set(.studyInstanceUID, .UI, "1.2")
    image.set(.seriesInstanceUID, .UI, "1.2.3")
    image.set(.modality, .CS, "MR")
    image.set(.rows, .US, 1)
    change(&image)
    try image.write(to: folder.url.appendingPathComponent(name).path)
  }

  private func scans() throws -> [InputScan] {
    try [false, true].map { try InputScan([folder.url.path], takesEverything: $0) }
  }

  private func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

  @Test func blankAndInvalidUIDsAreNamedWithFileAndValue() throws {
    for (name, value) in [("blank", ""), ("other-blank", ""), ("letters", "1.2.abc")] {
      try write(name) { $0.set(.seriesInstanceUID, .UI, value) }
    }
    for scan in try scans() {
      #expect(scan.series.isEmpty)
      #expect(scan.damagedImages.count == 3)
      let text = RefusalSummary(scan.refused).lines.joined(separator: "\n")
      #expect(text.contains("\(path("blank")): not taken: (0020,000E)"), "\(text)")
      #expect(text.contains("\(path("letters")): not taken: (0020,000E)"), "\(text)")
      #expect(text.contains("\"1.2.abc\""), "\(text)")
      #expect(!text.contains("not taken: \(folder.url.path)"), "\(text)")
    }
  }

  /// The series is known: it is held, with the file and the attribute.
  @Test func anImageWithoutAUIDOfItsOwnHoldsItsSeries() throws {
    try write("good")
    try write("blank") { $0.set(.sopInstanceUID, .UI, "") }
    for scan in try scans() {
      #expect(scan.series.map(\.files.count) == [2])
      let source = try SourceSeries(scan.series[0], geometry: GeometryRules())
      #expect(source.assessment.verdict == .held)
      let text = source.assessment.reasons.joined(separator: "\n")
      #expect(text.contains("blank: (0008,0018)"), "\(text)")
    }
  }

  @Test func uidsWithLeadingZerosAreTakenEverywhere() throws {
    try write("zeros") {
      $0.set(.sopInstanceUID, .UI, "1.2.007.1")
      $0.set(.seriesInstanceUID, .UI, "1.2.03")
      $0.set(.studyInstanceUID, .UI, "1.02")
    }
    for scan in try scans() {
      #expect(scan.series.map(\.seriesInstanceUID) == ["1.2.03"])
      #expect(scan.refused.isEmpty)
    }
    #expect(
      try ImageIdentity.read(path("zeros"), named: "zeros").instance.sopInstanceUID == "1.2.007.1")
  }

  /// A slice in a transfer syntax that cannot be decoded is missing from its series, not from the
  /// folder.
  @Test func anUndecodableTransferSyntaxHoldsTheSeries() throws {
    try write("good")
    try write("new")
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path("new")))
    let stated = try #require(bytes.range(of: Data("1.2.840.10008.1.2.1\0".utf8)))
    bytes.replaceSubrange(stated, with: Data("1.2.840.10008.1.2.99".utf8))
    try bytes.write(to: URL(fileURLWithPath: path("new")))
    for scan in try scans() {
      #expect(scan.series.map(\.files.count) == [2])
      let source = try SourceSeries(scan.series[0], geometry: GeometryRules())
      let text = source.assessment.reasons.joined(separator: "\n")
      #expect(source.assessment.verdict == .held)
      #expect(text.contains("new: transfer syntax 1.2.840.10008.1.2.99"), "\(text)")
    }
  }

  /// Pictures of another class in a series of images are left out, as the listener leaves them out.
  @Test func picturesAreRefusedByTheirClass() throws {
    try write("image")
    for (name, series) in [("inside", "1.2.3"), ("alone", "1.2.4")] {
      try write(name) {
        $0.set(.sopClassUID, .UI, "1.2.840.10008.5.1.4.1.1.3.1")
        $0.set(.seriesInstanceUID, .UI, series)
        $0.set(.numberOfFrames, .IS, "20")
      }
    }
    let scans = try scans()
    #expect(scans[0].series.map(\.files.count) == [1])
    #expect(scans[0].refused.count == 2)
    #expect(scans[0].refused.allSatisfy { "\($0)".contains("UltrasoundMultiframeImageStorage") })
    #expect(scans[1].series.map(\.seriesInstanceUID) == ["1.2.3", "1.2.4"])
    let alone = try SourceSeries(scans[1].series[1], geometry: GeometryRules())
    let text = alone.assessment.reasons.joined(separator: "\n")
    #expect(!alone.hasImages && text.contains("UltrasoundMultiframeImageStorage"), "\(text)")
    #expect(!text.contains("(5200,9230)"), "\(text)")
  }

  @Test func manyForeignFilesAreCounted() throws {
    for number in 0..<500 {
      try Data("text \(number)".utf8)
        .write(to: folder.url.appendingPathComponent("note-\(number).txt"))
    }
    for scan in try scans() {
      let lines = RefusalSummary(scan.refused).lines
      #expect(lines.count == 1, "\(lines)")
      #expect(lines[0].hasPrefix("500 files not taken: not a DICOM file"), "\(lines)")
      #expect(lines[0].contains("note-0.txt") && lines[0].hasSuffix("and 497 more)"), "\(lines)")
    }
  }

  @Test func reasonsOfTheirOwnAreLimited() {
    let refused = (0..<1000).map { ImageRefusal.unreadable(name: "f\($0)", reason: "reason \($0)") }
    let lines = RefusalSummary(refused).lines
    #expect(lines.count == RefusalSummary.maximumLines + 1)
    #expect(lines.last == "950 more lines about files not taken")
  }
}
