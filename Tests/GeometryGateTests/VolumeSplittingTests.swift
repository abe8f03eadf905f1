import TestSupport
import Testing
import Volumes

@testable import GeometryGate

/// A series of several volumes, and how it must be split.
struct Mixture: CustomTestStringConvertible, Sendable {
  var testDescription: String
  /// One for each volume, in order.
  var splitBy: [[String: String]]
  /// How many slices each volume has.
  var slices: [Int]
  var frames: @Sendable () -> [ImageFrame]

  init(
    _ name: String, _ splitBy: [[String: String]], slices: [Int]? = nil,
    _ frames: @escaping @Sendable () -> [ImageFrame]
  ) {
    testDescription = name
    self.splitBy = splitBy
    self.slices = slices ?? splitBy.map { _ in 8 }
    self.frames = frames
  }
}

/// The regular series once for each value, changed by it.
func repeated<Value>(
  _ values: [Value], _ change: (inout ImageFrame, Value, Int) -> Void
) -> [ImageFrame] {
  values.enumerated().flatMap { number, value in
    regularSeries().enumerated().map { slice, frame in
      var frame = frame
      frame.sopInstanceUID += ".\(number + 1)"
      change(&frame, value, slice)
      return frame
    }
  }
}

private let mixtures = [
  Mixture(
    "temporal position",
    [
      ["TemporalPositionIdentifier": "1"], ["TemporalPositionIdentifier": "2"],
      ["TemporalPositionIdentifier": "10"],
    ]
  ) { repeated([10, 2, 1]) { frame, value, _ in frame.temporalPosition = value } },
  Mixture("b-value", [["DiffusionBValue": "0.0"], ["DiffusionBValue": "800.0"]]) {
    repeated([800.0, 0]) { frame, value, _ in frame.bValue = value }
  },
  Mixture(
    "gradient direction",
    [
      ["DiffusionBValue": "0.0"],
      ["DiffusionBValue": "800.0", "DiffusionGradientOrientation": "0.0\\1.0\\0.0"],
      ["DiffusionBValue": "800.0", "DiffusionGradientOrientation": "1.0\\0.0\\0.0"],
    ]
  ) {
    repeated([[], [1, 0, 0], [0, 1, 0]]) { frame, value, _ in
      frame.bValue = value.isEmpty ? 0 : 800
      frame.gradientDirection = value
    }
  },
  Mixture(
    "echo and phase",
    [
      ["EchoTime": "5.0", "TemporalPositionIdentifier": "1"],
      ["EchoTime": "5.0", "TemporalPositionIdentifier": "2"],
      ["EchoTime": "9.0", "TemporalPositionIdentifier": "1"],
      ["EchoTime": "9.0", "TemporalPositionIdentifier": "2"],
    ]
  ) {
    repeated([(1, 5.0), (1, 9.0), (2, 5.0), (2, 9.0)]) { frame, value, _ in
      frame.temporalPosition = value.0
      frame.echoTime = value.1
    }
  },
  Mixture("echo number alone", [["EchoNumbers": "1"], ["EchoNumbers": "2"]]) {
    repeated([1, 2]) { frame, value, _ in frame.echoNumber = value }
  },
  Mixture(
    "magnitude and phase image",
    [
      ["ImageType": "ORIGINAL\\PRIMARY\\M\\ND"], ["ImageType": "ORIGINAL\\PRIMARY\\P\\ND"],
    ]
  ) {
    repeated(["P", "M"]) { frame, value, _ in
      frame.imageType = ["ORIGINAL", "PRIMARY", value, "ND"]
    }
  },
  Mixture("kernel", [["ConvolutionKernel": "B30f"], ["ConvolutionKernel": "B70f"]]) {
    repeated(["B70f", "B30f"]) { frame, value, _ in frame.convolutionKernel = value }
  },
  Mixture("fat saturation", [["ScanOptions": "(absent)"], ["ScanOptions": "FS"]]) {
    repeated([["FS"], []]) { frame, value, _ in frame.scanOptions = value }
  },
  Mixture(
    "percentage of the heart cycle",
    [
      ["NominalPercentageOfCardiacPhase": "0.0"], ["NominalPercentageOfCardiacPhase": "50.0"],
      ["NominalPercentageOfCardiacPhase": "75.0"],
    ]
  ) {
    repeated([75, 0, 50]) { frame, value, _ in frame.nominalPercentageOfCardiacPhase = value }
  },
  Mixture("tube voltage", [["KVP": "80.0"], ["KVP": "140.0"]]) {
    repeated([140.0, 80]) { frame, value, _ in frame.tubeVoltage = value }
  },
  Mixture("contrast", [["ContrastBolus": "(absent)"], ["ContrastBolus": "Agent 101500"]]) {
    repeated([nil, "Agent 101500"]) { frame, value, _ in frame.contrast = value }
  },
  Mixture("acquisition", [["AcquisitionNumber": "3"], ["AcquisitionNumber": "4"]]) {
    repeated([3, 4]) { frame, value, _ in frame.acquisitionNumber = value }
  },
  Mixture(
    "a dimension of an enhanced instance",
    [
      ["EffectiveEchoTime": "1"], ["EffectiveEchoTime": "2"],
    ]
  ) { repeated([1, 2]) { frame, value, _ in frame.dimensions = ["EffectiveEchoTime": value] } },
  Mixture(
    "trigger time that each slice has its own of",
    [
      ["TriggerTime": "300.0 to 370.0"], ["TriggerTime": "550.0 to 620.0"],
    ]
  ) {
    repeated([300.0, 550]) { frame, value, slice in
      frame.triggerTime = value + 10 * Double(slice)
    }
  },
  Mixture(
    "instance number where nothing else differs",
    [
      ["InstanceNumber": "1 to 8"], ["InstanceNumber": "48 to 55"],
    ]
  ) { repeated([48, 1]) { frame, value, slice in frame.instanceNumber = value + slice } },
  // Two breath-holds that overlap: neither covers all positions.
  Mixture(
    "two stacks of different length", [["AcquisitionNumber": "1"], ["AcquisitionNumber": "2"]],
    slices: [8, 6]
  ) {
    repeated([1, 2]) { frame, value, _ in frame.acquisitionNumber = value }
      .filter { $0.acquisitionNumber == 1 || $0.imagePosition[2] < 45 }
  },
  Mixture("two blocks far apart", [["StackID": "1"], ["StackID": "2"]]) {
    repeated([1, 2]) { frame, value, _ in
      frame.stackID = "\(value)"
      frame.imagePosition[2] += value == 2 ? 100 : 0
    }
  },
  Mixture(
    "two orientations",
    [
      ["ImageOrientationPatient": "1.0\\0.0\\0.0\\0.0\\0.0\\-1.0"],
      ["ImageOrientationPatient": "1.0\\0.0\\0.0\\0.0\\1.0\\0.0"],
    ]
  ) {
    repeated([false, true]) { frame, isCoronal, slice in
      guard isCoronal else { return }
      frame.imageOrientation = [1, 0, 0, 0, 0, -1]
      frame.imagePosition = [0, 3 * Double(slice), 0]
    }
  },
  Mixture("two image sizes", [["Rows": "28"], ["Rows": "56"]]) {
    repeated([56, 28]) { frame, value, _ in frame.rows = value }
  },
  Mixture("two pixel spacings", [["PixelSpacing": "2.0\\2.0"], ["PixelSpacing": "4.0\\6.4"]]) {
    repeated([[4, 6.4], [2, 2]]) { frame, value, _ in frame.pixelSpacing = value }
  },
]

@Suite struct VolumeSplittingTests {
  @Test(arguments: mixtures) func seriesSplitsIntoItsVolumes(_ mixture: Mixture) {
    let frames = mixture.frames()
    let assessment = assess(frames: frames.shuffled(), rules: GeometryRules())
    #expect(assessment.verdict == .accepted, "\(assessment.reasons)")
    #expect(assessment.volumes.map(\.stack.splitBy) == mixture.splitBy)
    #expect(assessment.volumes.map(\.stack.frames.count) == mixture.slices)
    let placed = assessment.volumes.flatMap { $0.stack.frames.map(\.sopInstanceUID) }
    #expect(placed.sorted() == frames.map(\.sopInstanceUID).sorted())
    for volume in assessment.volumes {
      // The frames of a volume share the suffix that made it one.
      #expect(
        Set(volume.stack.frames.map { $0.sopInstanceUID.split(separator: ".").last }).count == 1)
    }
  }

  @Test func copiesWithTheSamePixelsAreDropped() {
    var frames = regularSeries()
    var copy = frames[2]
    copy.sopInstanceUID = "1.2.3.99"
    frames.append(copy)
    let assessment = assess(
      frames: frames, rules: GeometryRules(), pixelHash: { "\($0.imagePosition)" })
    #expect(assessment.verdict == .repaired)
    #expect(assessment.repairs.map(\.kind) == [.duplicatePositions])
    #expect(assessment.volumes.map(\.stack.frames.count) == [8])
    #expect(assessment.excluded.map(\.sopInstanceUID) == ["1.2.3.99"])
  }

  @Test func anInstanceSentTwiceIsKeptOnce() {
    let frames = regularSeries() + [regularSeries()[3]]
    let same = assess(frames: frames, rules: GeometryRules(), pixelHash: { "\($0.sopInstanceUID)" })
    #expect(same.verdict == .repaired)
    #expect(same.volumes.map(\.stack.frames.count) == [8])
    var moved = frames
    moved[8].imagePosition[2] += 1
    #expect(
      assess(frames: moved, rules: GeometryRules(), pixelHash: { "\($0.sopInstanceUID)" }).verdict
        == .held)
  }

  @Test func otherPixelsAtOnePositionAreNotDropped() {
    var frames = regularSeries()
    var other = frames[2]
    other.sopInstanceUID = "1.2.3.99"
    frames.append(other)
    let assessment = assess(
      frames: frames, rules: GeometryRules(), pixelHash: { $0.sopInstanceUID })
    #expect(assessment.problems.map(\.kind) == [.duplicatePositions])
  }

  @Test func repeatedPositionsThatNothingTellsApartAreNotGuessed() {
    let assessment = assess(frames: repeated([1, 2]) { _, _, _ in }, rules: GeometryRules())
    #expect(assessment.problems.map(\.kind) == [.duplicatePositions])
    #expect(assessment.volumes.isEmpty)
  }

  /// A slice lost where the acquisition number changes must not make two accepted halves.
  @Test func aGapAtTheBorderOfTwoAcquisitionsIsStillAGap() {
    var frames = regularSeries(slices: 12)
    for index in 6..<12 { frames[index].acquisitionNumber = 2 }
    frames.remove(at: 6)
    let assessment = assess(frames: frames, rules: GeometryRules())
    #expect(assessment.problems.map(\.kind) == [.missingSlices])
  }

  @Test func acquisitionsThatChangeInTheMiddleAreOneVolume() {
    var frames = regularSeries(slices: 12)
    for index in 6..<12 { frames[index].acquisitionNumber = 2 }
    let assessment = assess(frames: frames, rules: GeometryRules())
    #expect(assessment.verdict == .accepted)
    #expect(assessment.volumes.map(\.stack.splitBy) == [[:]])
  }

  @Test func aSmallGapIsFilledWhereTheRulesSaySo() throws {
    var frames = regularSeries()
    frames.remove(at: 3)
    var rules = GeometryRules()
    rules.fillsGapsUpTo = 5
    let assessment = assess(frames: frames, rules: rules)
    #expect(assessment.verdict == .repaired)
    let stack = try #require(assessment.volumes.first?.stack)
    #expect(stack.grid.slices == 8 && stack.frames.count == 7)
    #expect(stack.sliceIndices == [0, 1, 2, 4, 5, 6, 7])
    #expect(stack.sourceGrid.slices == 7)
    #expect(assessment.reasons.contains { $0.contains("filled") && $0.contains("37.5") })
    rules.fillsGapsUpTo = 4.9
    #expect(assess(frames: frames, rules: rules).verdict == .held)
  }

  @Test func unevenStepsAreResampledWhereTheRulesSaySo() throws {
    var frames = regularSeries()
    for index in 4..<8 { frames[index].imagePosition[2] += Double(index - 3) * 1.3 }
    #expect(assess(frames: frames, rules: GeometryRules()).problems.map(\.kind) == [.unevenSpacing])
    var rules = GeometryRules()
    rules.resamplesUnevenSpacing = true
    let assessment = assess(frames: frames, rules: rules)
    #expect(assessment.verdict == .repaired)
    #expect(assessment.reasons.contains { $0.contains("largest gap is 3.8 mm") })
    let stack = try #require(assessment.volumes.first?.stack)
    let indices = try #require(stack.sliceIndices)
    for (index, frame) in zip(indices, stack.frames) {
      #expect(length(stack.grid.affine.point([0, 0, index]) - position(frame)) < 1e-9)
    }
    #expect(indices.last == Double(stack.grid.slices - 1))
  }

  @Test func aCountOfThePACSIsHeldAgainstTheSeries() {
    let frames = regularSeries()
    #expect(
      assess(frames: frames, rules: GeometryRules(), expectedInstances: 8).verdict == .accepted)
    let cut = assess(frames: frames, rules: GeometryRules(), expectedInstances: 10)
    #expect(cut.problems.map(\.kind) == [.incomplete])
    #expect(cut.reasons[0].contains("8 instances where 10 are due"))
  }
}
