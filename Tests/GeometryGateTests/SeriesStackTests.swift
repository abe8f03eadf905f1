import TestSupport
import Testing
import Volumes

@testable import GeometryGate

/// Short-axis cine as one series for each slice location.
@Suite struct SeriesStackTests {
  /// Eight series of ten phases, one every 8 mm, each in heartbeats of its own length.
  private func study(
    slices: Int = 8, phases: Int = 10, number: Int = 200,
    _ change: (inout ImageFrame, _ slice: Int, _ phase: Int) -> Void = { _, _, _ in }
  ) -> [[ImageFrame]] {
    let beats = [812.0, 764, 903, 850, 791, 838, 777, 866]
    return (0..<slices).map { slice in
      (0..<phases).map { phase in
        var frame = regularSeries(slices: 1)[0]
        frame.modality = "MR"
        frame.imageType = ["ORIGINAL", "PRIMARY", "M"]
        frame.seriesInstanceUID = "1.2.3.\(number + slice)"
        frame.sopInstanceUID = "1.2.3.\(number + slice).\(phase + 1)"
        frame.imagePosition = [-100, -120, 8 * Double(slice)]
        frame.instanceNumber = phase + 1
        frame.triggerTime = (beats[slice % 8] * Double(phase)).rounded() / 10
        change(&frame, slice, phase)
        return frame
      }
    }
  }

  private func stacks(_ series: [[ImageFrame]]) -> [SeriesStack] {
    seriesStacks(series, rules: GeometryRules())
  }

  private func assessed(_ stack: SeriesStack, _ series: [[ImageFrame]]) -> SeriesAssessment {
    assess(
      stackOf: stack.members.map { series[$0] }, problems: stack.problems, replacing: [],
      rules: GeometryRules(), pixelHash: { _ in nil })
  }

  /// Whether every volume has the images of one phase.
  private func arePhases(_ assessment: SeriesAssessment) -> Bool {
    assessment.volumes.allSatisfy { volume in
      Set(volume.stack.frames.map { $0.sopInstanceUID.split(separator: ".").last }).count == 1
    }
  }

  @Test func seriesInAnyOrderAreStackedBySlice() throws {
    let series = study()
    let order = [3, 0, 7, 5, 1, 6, 2, 4]
    let shuffled = order.map { series[$0].shuffled() }
    let stack = try #require(stacks(shuffled).first)
    #expect(stack.members.map { order[$0] } == Array(0..<8))
    let assessment = assessed(stack, shuffled)
    #expect(assessment.verdict == .accepted, "\(assessment.reasons)")
    #expect(assessment.volumes.count == 10 && arePhases(assessment))
    #expect(assessment.volumes.allSatisfy { $0.stack.frames.count == 8 })
    #expect(assessment.notes.first?.message.hasPrefix("8 series of one stack") == true)
  }

  @Test func phasesAreToldByWhatImagesSayAndNotByTheirNumbers() throws {
    let random = [7, 2, 9, 4, 1, 10, 3, 8, 5, 6]
    let numbered = study { frame, slice, phase in
      frame.instanceNumber = random[(phase + 3 * slice) % 10]
    }
    let byTime = assessed(stacks(numbered)[0], numbered)
    #expect(byTime.verdict == .accepted && arePhases(byTime), "\(byTime.reasons)")

    let index = study { frame, _, phase in
      frame.triggerTime = nil
      frame.temporalPosition = phase + 1
    }
    #expect(arePhases(assessed(stacks(index)[0], index)))
    let percent = study { frame, _, phase in
      frame.triggerTime = nil
      frame.nominalPercentageOfCardiacPhase = 10 * Double(phase)
    }
    #expect(assessed(stacks(percent)[0], percent).volumes.count == 10)

    let nothing = study { frame, _, _ in frame.triggerTime = nil }
    let held = assessed(stacks(nothing)[0], nothing)
    #expect(held.verdict == .held && held.volumes.isEmpty)
    #expect(held.reasons[0].contains("no attribute tells the volumes apart"), "\(held.reasons)")
  }

  @Test func whatDiffersHoldsTheWholeStack() throws {
    let defects: [(String, [[ImageFrame]], says: String)] = [
      (
        "a phase less", study().enumerated().map { $0 == 2 ? Array($1.dropLast()) : $1 },
        "number of phases differs: 10 in series"
      ),
      (
        "a slice lacking", study().enumerated().filter { $0.offset != 3 }.map(\.element),
        "slices are missing"
      ),
      (
        "a slice twice", study() + [study(number: 300)[4]],
        "measured more than once and nothing tells the stacks apart: series 1.2.3.204, 1.2.3.304"
      ),
      (
        "other matrix", study { frame, slice, _ in if slice == 5 { frame.rows = 32 } },
        "Rows (0028,0010) differs: 28 in series"
      ),
      (
        "other spacing",
        study { frame, slice, _ in if slice == 7 { frame.pixelSpacing = [4, 4] } },
        "Pixel Spacing (0028,0030) differs"
      ),
      (
        "other frames of reference",
        study { frame, slice, _ in frame.frameOfReferenceUID = "1.2.3.\(900 + slice / 2)" },
        "Frame of Reference UID (0020,0052) differs"
      ),
      (
        "no frame of reference", study { frame, _, _ in frame.frameOfReferenceUID = "" },
        "Frame of Reference UID (0020,0052) is absent"
      ),
      (
        "uneven steps",
        study { frame, slice, _ in if slice == 4 { frame.imagePosition[2] += 3 } },
        "steps between slices"
      ),
    ]
    for (name, series, says) in defects {
      let found = stacks(series)
      #expect(found.count == 1, "\(name)")
      let stack = try #require(found.first)
      #expect(stack.members.count == series.count, "\(name)")
      let assessment = assessed(stack, series)
      #expect(assessment.verdict == .held && assessment.volumes.isEmpty, "\(name)")
      let reason = assessment.reasons[0]
      #expect(reason.contains(says), "\(name): \(reason)")
      for one in series { #expect(reason.contains(one[0].seriesInstanceUID), "\(name)") }
    }
  }

  @Test func otherSeriesOfTheStudyStayByThemselves() {
    let sagittal = study(slices: 1, number: 400) { frame, _, _ in
      frame.imageOrientation = [0, 1, 0, 0, 0, -1]
    }
    let otherPatient = study(slices: 1, number: 500) { frame, _, _ in
      frame.patientID = "another"
      frame.imagePosition[2] = 64
    }
    let volume = [regularSeries()]
    let scout = study(slices: 1, phases: 1, number: 600)
    // Flow through one of the slices, on a matrix of its own.
    let flow = study(slices: 1, number: 700) { frame, _, _ in
      frame.rows = 40
      frame.imagePosition[2] = 16
    }
    let found = stacks(study() + sagittal + otherPatient + volume + scout + flow)
    #expect(found.map(\.members) == [Array(0..<8)])
    #expect(found.allSatisfy { $0.problems.isEmpty })
    // Two parallel planes are no stack.
    #expect(stacks(study(slices: 2)).isEmpty)
    #expect(stacks(study(slices: 5, phases: 1)).isEmpty)
  }

  @Test func twoStacksOfOneStudyAreToldApart() {
    let cine = study()
    let others: [[[ImageFrame]]] = [
      study(phases: 6, number: 300),
      study(number: 300) { frame, _, _ in frame.echoTime = 4 },
      study(number: 300) { frame, _, _ in frame.frameOfReferenceUID = "1.2.3.999" },
      study(number: 300) { frame, _, _ in frame.rows = 56 },
      study(number: 300) { frame, _, _ in frame.imageType = ["ORIGINAL", "PRIMARY", "P"] },
    ]
    for other in others {
      let found = stacks(cine + other)
      #expect(Set(found.map(\.members)) == [Array(0..<8), Array(8..<16)])
      #expect(found.allSatisfy { $0.problems.isEmpty })
    }
    // Nothing tells a repetition of all slices from the first measurement.
    let repetition = stacks(cine + study(number: 300))
    #expect(repetition.count == 1 && repetition[0].problems.map(\.kind) == [.duplicatePositions])
  }
}
