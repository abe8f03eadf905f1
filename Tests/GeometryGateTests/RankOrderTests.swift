import GeometryGate
import TestSupport
import Testing
import Volumes

/// Images that share positions and differ by no attribute of the measurement: numbers and times tell
/// them apart only where their order is a proof.
@Suite struct RankOrderTests {
  /// Two measurements of eight slices, changed by measurement (0 or 1) and slice.
  private func twoMeasurements(_ change: @escaping (inout ImageFrame, Int, Int) -> Void)
    -> [ImageFrame]
  {
    repeated([0, 1]) { frame, volume, slice in
      frame.modality = "MR"
      frame.instanceNumber = nil
      change(&frame, volume, slice)
    }
  }

  private func assessed(_ frames: [ImageFrame]) -> SeriesAssessment {
    assess(frames: frames.shuffled(), rules: GeometryRules())
  }

  /// Whether each volume has the images of one measurement: their UIDs share the last component.
  private func areUnmixed(_ assessment: SeriesAssessment) -> Bool {
    assessment.volumes.allSatisfy { volume in
      Set(volume.stack.frames.map { $0.sopInstanceUID.split(separator: ".").last }).count == 1
    }
  }

  @Test func numbersInSteadyOrderAreAProof() {
    let orders: [(String, (Int, Int) -> Int)] = [
      ("volume after volume", { 8 * $0 + $1 + 1 }),
      ("position after position", { 2 * $1 + $0 + 1 }),
      ("volume after volume, from the last slice", { 8 * $0 + 8 - $1 }),
      ("odd slices before even ones", { 100 * $0 + [0, 4, 1, 5, 2, 6, 3, 7][$1] }),
      ("position after position with gaps", { 10 * $1 + 3 * $0 }),
    ]
    for (name, number) in orders {
      let assessment = assessed(twoMeasurements { $0.instanceNumber = number($1, $2) })
      #expect(assessment.verdict == .accepted, "\(name): \(assessment.reasons)")
      #expect(assessment.volumes.count == 2 && areUnmixed(assessment), "\(name)")
    }
  }

  @Test func numbersWithoutOrderAreHeld() {
    let random = [11, 3, 16, 8, 1, 13, 6, 10, 2, 15, 9, 5, 12, 4, 14, 7]
    let orders: [(String, (Int, Int) -> Int)] = [
      ("at random", { random[8 * $0 + $1] }),
      ("two slices exchanged in one volume", { 8 * $0 + ($0 == 1 && $1 < 2 ? 1 - $1 : $1) }),
      (
        "one image of the second volume among the first",
        { $0 == 1 && $1 == 4 ? 3 : 8 * $0 + 4 * $1 }
      ),
      ("blocks of two slices", { ($1 / 2) * 4 + 2 * $0 + $1 % 2 }),
    ]
    for (name, number) in orders {
      let assessment = assessed(twoMeasurements { $0.instanceNumber = number($1, $2) })
      #expect(assessment.verdict == .held, "\(name)")
      #expect(assessment.problems.map(\.kind) == [.duplicatePositions], "\(name)")
      #expect(
        assessment.reasons[0].contains("the order of InstanceNumber proves nothing"),
        "\(name): \(assessment.reasons)")
      #expect(assessment.volumes.isEmpty)
    }
  }

  @Test func timesCountVolumesOnlyInSteadyOrder() {
    let steady = assessed(
      twoMeasurements { frame, volume, slice in
        frame.acquisitionTime = "10\(volume)0\(10 + slice).5"
      })
    #expect(steady.verdict == .accepted && steady.volumes.count == 2 && areUnmixed(steady))
    let seconds = [31, 12, 27, 45, 18, 50, 22, 39, 24, 33, 11, 29, 47, 16, 20, 36]
    for path in [\ImageFrame.acquisitionTime, \ImageFrame.contentTime] {
      let random = assessed(
        twoMeasurements { $0[keyPath: path] = "1000\(seconds[8 * $1 + $2])" })
      #expect(random.verdict == .held, "\(random.reasons)")
      #expect(random.reasons[0].contains("Time proves nothing"), "\(random.reasons)")
    }
  }

  /// Where times are no proof, numbers may still be one.
  @Test func numbersDecideWhereTimesDoNot() {
    let seconds = [31, 12, 27, 45, 18, 50, 22, 39, 24, 33, 11, 29, 47, 16, 20, 36]
    let assessment = assessed(
      twoMeasurements { frame, volume, slice in
        frame.contentTime = "1000\(seconds[8 * volume + slice])"
        frame.instanceNumber = 8 * volume + slice
      })
    #expect(assessment.verdict == .accepted)
    #expect(assessment.volumes.allSatisfy { $0.stack.splitBy["InstanceNumber"] != nil })
  }

  /// A cine of ten phases; each slice was measured in heartbeats of its own length.
  private func cine(_ change: (inout ImageFrame, Int, Int) -> Void = { _, _, _ in })
    -> [ImageFrame]
  {
    let beats = [812.0, 764, 903, 850, 791, 838, 777, 866]
    return repeated(Array(0..<10)) { frame, phase, slice in
      frame.modality = "MR"
      frame.instanceNumber = nil
      frame.triggerTime = (beats[slice] * Double(phase)).rounded() / 10
      change(&frame, phase, slice)
    }
  }

  @Test func heartbeatsOfDifferentLengthHaveTheSamePhases() {
    let assessment = assessed(cine())
    #expect(assessment.verdict == .accepted, "\(assessment.reasons)")
    #expect(assessment.volumes.count == 10 && areUnmixed(assessment))
  }

  @Test func triggerTimesThatStartElsewhereOrAreUnevenProveNothing() {
    let late = assessed(cine { frame, _, slice in if slice == 3 { frame.triggerTime? += 90 } })
    let uneven = assessed(
      cine { frame, phase, slice in if slice == 5, phase > 4 { frame.triggerTime? += 300 } })
    for assessment in [late, uneven] {
      #expect(assessment.verdict == .held)
      #expect(assessment.reasons[0].contains("TriggerTime proves nothing"))
    }
  }

  @Test func anAbsentFrameOfReferenceIsSaidToBeAbsent() {
    var frames = regularSeries()
    for index in frames.indices { frames[index].frameOfReferenceUID = "" }
    let note = assessed(frames).notes.first { $0.kind == .noFrameOfReference }
    #expect(note?.message.contains("(0020,0052) is absent") == true)
    for index in frames.indices { frames[index].frameOfReferenceUID = "1.2.\(index + 1)" }
    let differing = assessed(frames).notes.first { $0.kind == .noFrameOfReference }
    #expect(differing?.message.contains("is not one for all images") == true)
  }
}
