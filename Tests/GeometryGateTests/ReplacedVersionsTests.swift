import TestSupport
import Testing
import Volumes
import Wording

@testable import GeometryGate

/// Images that came again with other content: the last version counts, and is compared with the
/// earlier ones.
@Suite struct ReplacedVersionsTests {
  private let series = regularSeries()
  private let rules = GeometryRules()

  /// The pixels of every image by its SOP Instance UID.
  private func assessed(
    _ frames: [ImageFrame], replacing replaced: [ImageFrame],
    pixels: @escaping (ImageFrame) -> String? = { $0.sopInstanceUID }
  ) -> SeriesAssessment {
    assess(
      frames: frames.shuffled(), replacing: replaced.shuffled(), rules: rules, pixelHash: pixels)
  }

  private func changed(
    first count: Int = .max, _ change: (inout ImageFrame) -> Void
  ) -> [ImageFrame] {
    series.enumerated().map { index, frame in
      var frame = frame
      if index < count { change(&frame) }
      return frame
    }
  }

  private static let corrections: [@Sendable (inout ImageFrame) -> Void] = [
    { $0.patientName = "NEW" }, { $0.patientID = "NEW" }, { $0.patientBirthDate = "19700101" },
    { $0.studyInstanceUID = "1.2.3.4" },
  ]

  @Test(arguments: corrections)
  func aCorrectedSeriesIsOneSeries(correct: @Sendable (inout ImageFrame) -> Void) throws {
    let assessment = assessed(changed(correct), replacing: series)
    #expect(assessment.verdict == .repaired && assessment.problems.isEmpty)
    #expect(assessment.repairs.map(\.kind) == [.duplicateInstance])
    #expect(assessment.repairs[0].message.hasPrefix("8 images received again"))
    let frames = try #require(assessment.usableStacks.first).frames
    #expect(Set(frames.map(\.sopInstanceUID)).count == 8)
    #expect(frames.map(\.patientName) == changed(correct).map(\.patientName))
  }

  /// Two corrections, one after the other: every earlier version is compared.
  @Test func severalCorrectionsAreOneSeries() {
    let replaced = series + changed { $0.patientName = "TYPO" }
    #expect(assessed(changed { $0.patientName = "NEW" }, replacing: replaced).verdict == .repaired)
    let other = assessed(changed { $0.patientName = "NEW" }, replacing: replaced) { frame in
      frame.patientName == "TYPO" ? "other" : frame.sopInstanceUID
    }
    #expect(other.problems.map(\.kind) == [.duplicateInstance])
  }

  @Test(arguments: corrections, [1, 4, 7])
  func anIncompleteCorrectionIsHeldForNothingElse(
    correct: @Sendable (inout ImageFrame) -> Void, count: Int
  ) throws {
    for excludes in [true, false] {
      var rules = rules
      rules.excludesMismatchedImages = excludes
      let frames = changed(first: count, correct)
      let assessment = assess(
        frames: frames, replacing: Array(series.prefix(count)), rules: rules,
        pixelHash: \.sopInstanceUID)
      #expect(assessment.problems.map(\.kind) == [.incompleteCorrection])
      let message = try #require(assessment.problems.first?.message)
      #expect(message.contains("\(counted(count, "image"))"), "\(message)")
      #expect(!message.contains("NEW") && !message.contains("secret"), "\(message)")
    }
  }

  /// What differs within a series from the start is no correction.
  @Test func aDifferenceThatWasThereBeforeIsAssessedAsEver() {
    let mixed = changed { $0.patientName = $0.sopInstanceUID < "1.2.3.3" ? "OTHER" : "MOST" }
    let corrected = mixed.map { frame in
      var frame = frame
      frame.contentDate = "20260101"
      return frame
    }
    let kinds = assessed(corrected, replacing: mixed).problems.map(\.kind)
    #expect(kinds.contains(.severalPatients) && !kinds.contains(.incompleteCorrection), "\(kinds)")
  }

  private static let contradictions: [@Sendable (inout ImageFrame) -> Void] = [
    { $0.imagePosition[2] += 0.5 }, { $0.pixelSpacing = [5, 6.4] }, { $0.rescaleSlope = 2 },
    { $0.imageOrientation = [0, 1, 0, 1, 0, 0] },
  ]

  @Test(arguments: contradictions)
  func anotherPlaceIsHeld(move: @Sendable (inout ImageFrame) -> Void) {
    let assessment = assessed(series, replacing: [changed(first: 1, move)[0]])
    #expect(assessment.problems.map(\.kind) == [.duplicateInstance])
    #expect(assessment.problems.first?.message.contains("1.2.3.1") == true)
  }

  @Test func otherPixelsAndPixelsThatCannotBeReadAreHeld() {
    for pixels: String? in ["other", nil] {
      let assessment = assessed(
        changed { $0.patientName = "NEW" }, replacing: [series[2]]
      ) { $0.patientName == "NEW" ? $0.sopInstanceUID : pixels }
      #expect(assessment.problems.map(\.kind).contains(.duplicateInstance))
    }
  }

  /// An earlier version with more frames than the last one.
  @Test func aFrameThatTheLastVersionLacksIsHeld() {
    var frame = series[0]
    frame.frameNumber = 2
    let assessment = assessed(series, replacing: [frame])
    #expect(assessment.problems.map(\.kind) == [.duplicateInstance])
  }

  /// Without an order of receipt, as in a folder, nothing says which header is the right one.
  @Test(arguments: corrections)
  func copiesThatContradictAreHeld(correct: @Sendable (inout ImageFrame) -> Void) throws {
    let copies = changed(first: 3, correct).prefix(3)
    let assessment = assess(
      frames: series + copies, rules: rules, pixelHash: \.sopInstanceUID)
    #expect(assessment.verdict == .held)
    let message = try #require(assessment.problems.first?.message)
    #expect(message.contains("differs between copies") && message.contains("1.2.3.1"))
  }

  @Test func equalCopiesAreNot() {
    let assessment = assess(frames: series + series, rules: rules, pixelHash: \.sopInstanceUID)
    #expect(assessment.verdict == .repaired)
  }
}
