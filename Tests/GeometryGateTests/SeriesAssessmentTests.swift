import Foundation
import TestSupport
import Testing
import Volumes

@testable import GeometryGate

/// A way to spoil a series, and the verdict and finding that it must lead to.
struct Defect: CustomTestStringConvertible, Sendable {
  var testDescription: String
  var verdict: Verdict
  var kind: GeometryFinding.Kind
  var says: String
  var spoil: @Sendable (inout [ImageFrame]) -> Void

  init(
    _ name: String, _ kind: GeometryFinding.Kind, says: String, verdict: Verdict = .held,
    _ spoil: @escaping @Sendable (inout [ImageFrame]) -> Void
  ) {
    self.testDescription = name
    self.verdict = verdict
    self.kind = kind
    self.says = says
    self.spoil = spoil
  }
}

private let imageDefects = [
  Defect("no images", .noImages, says: "no images") { $0 = [] },
  Defect("blank instance UID", .blankUID, says: "(0008,0018) is blank") {
    $0[3].sopInstanceUID = ""
  },
  Defect("blank class UID", .blankUID, says: "(0008,0016)") { $0[3].sopClassUID = "" },
  Defect("blank study", .blankUID, says: "(0020,000D)") { series in
    for index in series.indices { series[index].studyInstanceUID = "" }
  },
  Defect("text for a UID", .blankUID, says: "(0020,000E) is not a UID") { series in
    for index in series.indices { series[index].seriesInstanceUID = "1.2/../x" }
  },
  Defect("no frame of reference", .noFrameOfReference, says: "(0020,0052)", verdict: .accepted) {
    series in
    for index in series.indices { series[index].frameOfReferenceUID = "" }
  },
  Defect("a localizer", .notMeasured, says: "1 image excluded", verdict: .repaired) {
    $0[0].imageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
  },
  Defect("only localizers", .notMeasured, says: "LOCALIZER") { series in
    for index in series.indices { series[index].imageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"] }
  },
  Defect("mosaic without a header", .notMeasured, says: "MOSAIC", verdict: .repaired) {
    $0[0].imageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
  },
  Defect("one derived slice in the middle", .missingSlices, says: "between 1.2.3.2 and 1.2.3.4") {
    $0[2].imageType = ["DERIVED", "PRIMARY", "AXIAL"]
  },
  Defect("a derived series", .notMeasured, says: "is not an original image") { series in
    for index in series.indices { series[index].imageType = ["DERIVED", "PRIMARY", "MPR"] }
  },
  Defect("a secondary slice at the end", .notMeasured, says: "SECONDARY", verdict: .repaired) {
    $0[7].imageType = ["ORIGINAL", "SECONDARY"]
  },
  Defect("a page of doses", .notMeasured, says: "secondary capture", verdict: .repaired) {
    $0[7].sopClassUID = "1.2.840.10008.5.1.4.1.1.7.4"
  },
  Defect("a protocol page", .notMeasured, says: "protocol page", verdict: .repaired) {
    $0[7].imageType = ["DERIVED", "PRIMARY", "OTHER", "CT_SOM5 PROT"]
  },
  Defect("no rows", .pixelFormat, says: "(0028,0010) 0") { $0[1].rows = 0 },
  Defect("colour", .pixelFormat, says: "is 3, not 1") { $0[1].samplesPerPixel = 3 },
  Defect("palette", .pixelFormat, says: "PALETTE") {
    $0[1].photometricInterpretation = "PALETTE COLOR"
  },
  Defect("32 bits", .pixelFormat, says: "is 32") { $0[1].bitsAllocated = 32 },
  Defect("no bits", .pixelFormat, says: "(0028,0101) 0") { $0[1].bitsStored = 0 },
  Defect("high bit", .pixelFormat, says: "(0028,0102) 16") { $0[1].highBit = 16 },
  Defect("low bit", .pixelFormat, says: "(0028,0102) 10") { $0[1].highBit = 10 },
  Defect("inverted", .pixelFormat, says: "MONOCHROME1") {
    $0[1].photometricInterpretation = "MONOCHROME1"
  },
  Defect("slope not a number", .pixelFormat, says: "(0028,1053)") { $0[1].rescaleSlope = .nan },
  Defect("not Hounsfield units", .notHounsfieldUnits, says: "\"US\"") { series in
    for index in series.indices { series[index].rescaleType = "US" }
  },
  Defect("no position", .missingGeometry, says: "(0020,0032) is absent") {
    $0[1].imagePosition = []
  },
  Defect("two numbers for a position", .invalidGeometry, says: "not 3") {
    $0[1].imagePosition = [1, 2]
  },
  Defect("infinite position", .invalidGeometry, says: "1.2.3.2") {
    $0[1].imagePosition[2] = .infinity
  },
  Defect("zero orientation", .invalidGeometry, says: "0.0\\0.0") {
    $0[1].imageOrientation = [0, 0, 0, 0, 0, 0]
  },
  Defect("oblique axes", .invalidGeometry, says: "perpendicular") {
    $0[1].imageOrientation = [1, 0, 0, 0.1, 0.995, 0]
  },
  Defect("zero pixel spacing", .invalidGeometry, says: "not positive") {
    $0[1].pixelSpacing = [0, 1]
  },
]

private let seriesDefects = [
  Defect("two patients", .severalPatients, says: "(0010,0020)") { $0[4].patientID = "other" },
  Defect("two studies", .severalSeries, says: "1.2.9 in 1 image (1.2.3.5)") {
    $0[4].studyInstanceUID = "1.2.9"
  },
  Defect("two series", .severalSeries, says: "1.2.9") { $0[4].seriesInstanceUID = "1.2.9" },
  Defect("two frames of reference", .severalFramesOfReference, says: "1.2.9") {
    $0[4].frameOfReferenceUID = "1.2.9"
  },
  Defect("two modalities", .severalModalities, says: "\"PT\"") { $0[4].modality = "PT" },
  Defect("two image sizes", .severalImageSizes, says: "28 in 1.2.3.1, 29 in 1.2.3.5") {
    $0[4].rows = 29
  },
  Defect("two pixel spacings", .severalPixelSpacings, says: "4.001") {
    $0[4].pixelSpacing = [4.001, 6.4]
  },
  Defect("another name", .severalPatients, says: "(0010,0010)") { series in
    for index in series.indices { series[index].patientName = "One^A" }
    series[4].patientName = "Other^A"
  },
  Defect("another birth date", .severalPatients, says: "(0010,0030)") {
    $0[3].patientBirthDate = "19700101"
    $0[4].patientBirthDate = "19700102"
  },
  Defect("another sex", .severalPatients, says: "(0010,0040)") {
    $0[3].patientSex = "M"
    $0[4].patientSex = "F"
  },
  Defect("another issuer", .severalPatients, says: "(0010,0021)") {
    $0[3].issuerOfPatientID = "A"
    $0[4].issuerOfPatientID = "B"
  },
  Defect("another accession number", .severalSeries, says: "(0008,0050)") { series in
    for index in series.indices { series[index].accessionNumber = "A1" }
    series[4].accessionNumber = "A2"
  },
  Defect("another study ID", .severalSeries, says: "(0020,0010)") { series in
    for index in series.indices { series[index].studyID = "1" }
    series[4].studyID = "2"
  },
  Defect("another study date", .severalSeries, says: "(0008,0020)") {
    $0[3].studyDate = "20260101"
    $0[4].studyDate = "20260102"
  },
  Defect("another side", .severalLateralities, says: "\"R\" in 1 image (1.2.3.5)") { series in
    for index in series.indices { series[index].laterality = "L" }
    series[4].laterality = "R"
  },
  Defect("half and half of two patients", .severalPatients, says: "in 4 images") { series in
    for index in 4..<8 { series[index].patientID = "other" }
  },
  Defect("two halves in two frames of reference", .severalFramesOfReference, says: "in 4 images") {
    series in
    for index in 4..<8 { series[index].frameOfReferenceUID = "1.2.9" }
  },
  Defect(
    "a frame of reference for each image", .severalFramesOfReference, says: "each of 8 images",
    verdict: .repaired
  ) { series in
    for index in series.indices { series[index].frameOfReferenceUID = "1.2.9.\(index)" }
  },
  Defect("an instance twice, pixels unknown", .duplicateInstance, says: "1.2.3.3") {
    $0.append($0[2])
  },
  Defect("a place twice, pixels unknown", .duplicatePositions, says: "1 of 8 positions") { series in
    var copy = series[2]
    copy.sopInstanceUID = "1.2.3.99"
    series.append(copy)
  },
  Defect("a scout across the slices", .severalOrientations, says: "is across", verdict: .repaired) {
    series in
    var scout = series[2]
    scout.sopInstanceUID = "1.2.3.99"
    scout.imageOrientation = [0, 1, 0, 0, 0, -1]
    series.append(scout)
  },
  Defect("all images at one position", .tooFewSlices, says: "all 8 images are at one position") {
    series in
    for index in series.indices { series[index].imagePosition = [0, 0, 0] }
  },
  Defect("a missing slice", .missingSlices, says: "1 between 1.2.3.3 and 1.2.3.5") {
    $0.remove(at: 3)
  },
  Defect("two gaps", .missingSlices, says: "2 between 1.2.3.3 and 1.2.3.6") {
    $0.removeSubrange(3...4)
  },
  Defect("uneven steps", .unevenSpacing, says: "2.5 to 2.6 mm") { $0[7].imagePosition[2] += 0.1 },
  Defect("a slice pushed aside", .slicesOffLine, says: "0.15 mm") {
    $0[3].imagePosition[0] += 0.15
  },
  Defect("one slice", .tooFewSlices, says: "1 slice, at least 3") { $0.removeSubrange(1...) },
  Defect("two slices", .tooFewSlices, says: "at least 3") { $0.removeSubrange(2...) },
  Defect("gantry tilt", .tilted, says: "18.5 degrees", verdict: .repaired) { series in
    for index in series.indices {
      series[index].imagePosition[1] += 2.5 * Double(index) * tan(18.5 * .pi / 180)
    }
  },
]

@Suite struct SeriesAssessmentTests {
  @Test func regularSeriesIsAcceptedInOrderOfPosition() throws {
    let frames = regularSeries()
    let assessment = assess(frames: frames.shuffled(), rules: GeometryRules())
    #expect(assessment.verdict == .accepted)
    #expect(assessment.problems.isEmpty)
    let stack = try #require(assessment.volumes.first?.stack)
    #expect(assessment.volumes.count == 1)
    #expect(stack.frames == frames)
    #expect(stack.splitBy.isEmpty)
    let grid = stack.grid
    #expect(grid.shape == [8, 28, 64])
    #expect(grid.affine.column == SIMD3<Double>(6.4, 0, 0))
    #expect(grid.affine.row == SIMD3<Double>(0, 4, 0))
    #expect(grid.affine.slice == SIMD3<Double>(0, 0, 2.5))
    #expect(grid.affine.origin == SIMD3<Double>(-100, -120, 30))
  }

  @Test(arguments: imageDefects + seriesDefects)
  func spoiledSeriesGetsItsVerdict(_ defect: Defect) throws {
    var frames = regularSeries()
    defect.spoil(&frames)
    let assessment = assess(frames: frames.shuffled(), rules: GeometryRules())
    let text = assessment.reasons.joined(separator: "\n")
    #expect(assessment.verdict == defect.verdict, "\(text)")
    let findings: [GeometryFinding] =
      switch defect.verdict {
      case .held: assessment.problems
      case .repaired: assessment.repairs + assessment.volumes.flatMap(\.findings)
      case .accepted: assessment.notes
      }
    let messages = findings.filter { $0.kind == defect.kind }.map(\.message)
    #expect(messages.contains { $0.contains(defect.says) }, "\(text)")
    #expect(messages.allSatisfy { text.contains($0) })
    #expect(!text.contains("secret") && !text.contains("\"other"))
    #expect(assessment.usableStacks.isEmpty == (defect.verdict == .held))
    // No image is lost: each is in a volume or is excluded, unless the series is held.
    if defect.verdict != .held {
      let placed = assessment.volumes.flatMap(\.stack.frames).count + assessment.excluded.count
      #expect(placed == frames.count)
    }
  }

  @Test func jitterOfScannersIsAccepted() {
    var frames = regularSeries()
    for index in frames.indices {
      frames[index].imagePosition[2] += index.isMultiple(of: 2) ? 0.002 : -0.002
      frames[index].imagePosition[0] += index.isMultiple(of: 3) ? 0.001 : -0.001
      frames[index].imageOrientation[1] += 1e-4
    }
    #expect(assess(frames: frames, rules: GeometryRules()).verdict == .accepted)
  }

  @Test func obliqueSeriesRunsAlongItsNormal() throws {
    // A sagittal stack turned by 20 degrees; its normal points to the patient's left.
    let (s, c) = (sin(20 * Double.pi / 180), cos(20 * Double.pi / 180))
    var frames = regularSeries()
    for index in frames.indices {
      frames[index].imageOrientation = [s, c, 0, 0, 0, -1]
      frames[index].imagePosition = [-c * 2.5 * Double(index), s * 2.5 * Double(index), 7]
    }
    let stack = try #require(assess(frames: frames, rules: GeometryRules()).volumes.first?.stack)
    let last = stack.grid.affine.point([0, 0, 7])
    #expect(abs(last.x - stack.frames[7].imagePosition[0]) < 1e-9)
    #expect(abs(last.y - stack.frames[7].imagePosition[1]) < 1e-9)
    let affine = stack.grid.affine
    #expect(dot(cross(affine.column, affine.row), affine.slice) > 0)
    #expect(abs(length(affine.slice) - 2.5) < 1e-9)
  }

  @Test func tiltedStackKeepsItsExactAffine() throws {
    var frames = regularSeries()
    for index in frames.indices { frames[index].imagePosition[1] += 0.8 * Double(index) }
    let assessment = assess(frames: frames, rules: GeometryRules())
    #expect(assessment.verdict == .repaired)
    let stack = try #require(assessment.volumes.first?.stack)
    for (index, frame) in stack.frames.enumerated() {
      let point = stack.grid.affine.point([0, 0, Double(index)])
      #expect(length(point - position(frame)) < 1e-9)
    }
    var rules = GeometryRules()
    rules.resamplesTilt = false
    #expect(assess(frames: frames, rules: rules).problems.map(\.kind) == [.tilted])
  }

  @Test func rulesAreConfigurable() {
    var rules = GeometryRules()
    rules.minimumSlices = 2
    #expect(assess(frames: regularSeries(slices: 2), rules: rules).verdict == .accepted)
    rules.acceptsDerivedImages = true
    var derived = regularSeries()
    for index in derived.indices { derived[index].imageType = ["DERIVED", "PRIMARY", "MPR"] }
    #expect(assess(frames: derived, rules: rules).verdict == .accepted)
    derived[0].imageType = ["DERIVED", "SECONDARY", "MIP"]
    #expect(assess(frames: derived, rules: rules).volumes.map(\.stack.frames.count) == [7])
    rules.excludesMismatchedImages = true
    var mismatched = regularSeries()
    mismatched[7].patientID = "other"
    let assessment = assess(frames: mismatched, rules: rules)
    #expect(assessment.verdict == .repaired)
    #expect(assessment.excluded.map(\.sopInstanceUID) == ["1.2.3.8"])
  }

  @Test func framesOfAMultiFrameInstanceFormAVolume() {
    let frames = regularSeries().enumerated().map { index, frame in
      var frame = frame
      frame.sopInstanceUID = "1.2.3.1"
      frame.frameNumber = index + 1
      return frame
    }
    #expect(assess(frames: frames, rules: GeometryRules()).verdict == .accepted)
  }
}
