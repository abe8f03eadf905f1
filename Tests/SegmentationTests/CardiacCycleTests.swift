import Testing

@testable import Segmentation

@Suite struct CardiacCycleTests {
  /// 25 phases of 40 ms: contraction until `systole`, then filling.
  private func volumes(systole: Int, diastole: Int = 0, count: Int = 25) -> [Double] {
    (0..<count).map { phase in
      let after = (phase - diastole + count) % count
      let length = (systole - diastole + count) % count
      let part =
        after <= length
        ? Double(after) / Double(length)
        : 1 - Double(after - length) / Double(count - length)
      return 120 - 70 * part
    }
  }

  private func cycle(_ count: Int = 25) throws -> CardiacCycle {
    try CardiacCycle(triggerTimes: (0..<count).map { Double($0) * 40 + 12 })
  }

  @Test func timeAloneGivesTheFirstPhaseAndAThirdOfTheCycle() throws {
    #expect(try cycle().endDiastole == 0)
    #expect(try cycle().endSystole == 9)
    #expect(try cycle(3).endSystole == 1)
    #expect(throws: CardiacCycleError.tooFewPhases(2)) {
      try CardiacCycle(triggerTimes: [0, 40])
    }
  }

  @Test(arguments: [(9, 0), (7, 0), (12, 24), (10, 1), (11, 23)])
  func volumesCorrectTheTime(_ systole: Int, _ diastole: Int) async throws {
    let volumes = volumes(systole: systole, diastole: diastole)
    var asked: [Int] = []
    let found = try await cycle().extremes {
      asked.append($0)
      return volumes[$0]
    }
    #expect(found.endSystole == systole && found.endDiastole == diastole)
    #expect(abs(found.endDiastolicVolume - 120) < 1e-9)
    #expect(abs(found.endSystolicVolume - 50) < 1e-9)
    // Each phase once, and far from all of them.
    #expect(Set(asked).count == asked.count && asked.count <= 14)
  }

  @Test func aCavityThatDoesNotContractIsRefused() async throws {
    await #expect(throws: CardiacCycleError.self) {
      try await cycle().extremes { _ in 80 }
    }
  }

  @Test func functionFollowsFromTheTwoVolumes() {
    let function = CardiacFunction(
      cavity: "LV", endDiastolicVolume: 120, endSystolicVolume: 48)
    #expect(function.strokeVolume == 72 && function.ejectionFraction == 0.6)
    let empty = CardiacFunction(cavity: "LV", endDiastolicVolume: 0, endSystolicVolume: 0)
    #expect(empty.ejectionFraction == nil)
  }
}
