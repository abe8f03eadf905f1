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
    #expect(try cycle(2).endSystole == 1)
    #expect(throws: CardiacCycleError.tooFewPhases(1)) {
      try CardiacCycle(triggerTimes: [0])
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

  /// Of two phases either may come first.
  @Test(arguments: [[120.0, 50], [50, 120]])
  func twoPhasesAreTheExtremes(_ volumes: [Double]) async throws {
    let found = try await CardiacCycle(triggerTimes: [0, 400]).extremes { volumes[$0] }
    #expect(volumes[found.endDiastole] == 120 && volumes[found.endSystole] == 50)
  }

  /// Where nothing tells the time, every phase is looked at once.
  @Test func volumesAloneGiveTheExtremes() async throws {
    let volumes = volumes(systole: 12, diastole: 7)
    var asked: [Int] = []
    let found = try await CardiacCycle.extremes(ofAll: volumes.count) {
      asked.append($0)
      return volumes[$0]
    }
    #expect(found.endDiastole == 7 && found.endSystole == 12)
    #expect(asked == Array(0..<25))
    await #expect(throws: CardiacCycleError.self) {
      try await CardiacCycle.extremes(ofAll: 3) { _ in 80 }
    }
    await #expect(throws: CardiacCycleError.tooFewPhases(1)) {
      try await CardiacCycle.extremes(ofAll: 1) { _ in 80 }
    }
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

  @Test func anImplausibleFractionIsRefusedAndAnUnusualOneSaid() throws {
    let limit = EjectionFractionLimit(usual: [0.1, 0.8], accepted: [0.03, 0.95])
    func warning(_ systolic: Double) throws -> ModelWarning? {
      try CardiacFunction(
        cavity: "LV", endDiastolicVolume: 100, endSystolicVolume: systolic
      ).check(limit)
    }
    #expect(try warning(40) == nil)
    #expect(try warning(96) == .ejectionFraction(cavity: "LV", found: 0.04, usual: [0.1, 0.8]))
    #expect(try warning(10)?.description.contains("90.0 %, in training 10.0 to 80.0 %") == true)
    #expect(throws: CardiacCycleError.self) { try warning(98) }
    #expect(throws: CardiacCycleError.self) { try warning(2) }
    #expect(throws: CardiacCycleError.self) { try warning(103) }
  }

  /// Schulz-Menger et al. 2020: 1.05 g/ml.
  @Test func massFollowsFromTheWallsVolume() {
    let mass = MyocardialMass(structure: "Myocardium", endDiastolicVolume: 100)
    #expect(abs(mass.grams - 105) < 1e-9)
  }
}
