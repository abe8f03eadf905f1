import Foundation
import SeriesProcessing
import Testing

@testable import Pipeline

/// When a node of a cluster is given no jobs for a while.
@Suite struct SlurmNodeFaultsTests {
  private final class Trial {
    var faults = SlurmNodeFaults()
    let start = ContinuousClock.now
  }

  private let trial = Trial()

  private func fault(_ node: String, _ name: String, after seconds: Int) -> Duration? {
    trial.faults.fault(of: node, in: name, at: trial.start + .seconds(seconds))?.exclusion
  }

  @Test func threeFaultsWithinTenMinutes() {
    #expect(fault("w1", "a", after: 0) == nil)
    #expect(fault("w2", "b", after: 10) == nil)
    #expect(fault("w1", "c", after: 300) == nil)
    // The first is too long ago.
    #expect(fault("w1", "d", after: 700) == nil)
    #expect(fault("w1", "e", after: 800) == .seconds(600))
    #expect(fault("w2", "f", after: 800) == nil)
  }

  /// All jobs of a pack fail of one fault.
  @Test func aPackIsOneFault() {
    for second in 0..<16 { #expect(fault("w1", "pack", after: second) == nil) }
    #expect(fault("w1", "other", after: 20) == nil)
    #expect(fault("w1", "third", after: 21) == .seconds(600))
  }

  @Test func aResultForgetsThem() {
    #expect(fault("w1", "a", after: 0) == nil)
    #expect(fault("w1", "b", after: 1) == nil)
    trial.faults.success(of: "w1")
    #expect(fault("w1", "c", after: 2) == nil)
    #expect(fault("w1", "d", after: 3) == nil)
    #expect(fault("w1", "e", after: 4) == .seconds(600))
    trial.faults.success(of: "w1")
    #expect(fault("w1", "f", after: 5) == nil)
  }

  /// Each time twice as long, two hours at most.
  @Test func oneThatFailsAgainIsExcludedForLonger() {
    for name in ["a", "b"] { #expect(fault("w1", name, after: 0) == nil) }
    var after = 0
    for minutes in [10, 20, 40, 80, 120, 120] {
      #expect(fault("w1", "c\(after)", after: after) == .seconds(60 * minutes))
      after += 60 * minutes + 1
    }
  }

  @Test func anExclusionEndsWhateverTheClockSays() {
    let exclusion = SlurmExclusion(node: "w1", since: 1000, until: 1600, faults: 3, fault: "x")
    func isActive(_ time: Double) -> Bool {
      exclusion.isActive(at: Date(timeIntervalSince1970: time))
    }
    #expect(isActive(1000) && isActive(1599) && !isActive(1600) && !isActive(999))
    let wrong = SlurmExclusion(node: "w1", since: 2, until: 1, faults: 3, fault: "x")
    #expect(!wrong.isActive(at: .now))
  }

  @Test func aNodesNameIsPartOfAnArgument() {
    for name in ["w1", "gpu-07.cluster", "N_1"] { #expect(SlurmNodeName(name)?.text == name) }
    for name in [
      "", "w[1-2]", "w1,w2", "../x", "-w", ".w", "a b", "a/b", String(repeating: "w", count: 65),
    ] {
      #expect(SlurmNodeName(name) == nil, "\(name)")
    }
  }

  /// What comes at once is for all free nodes; a start has to be worth it.
  @Test func aPackIsDividedAmongFreeNodes() {
    func counts(_ seconds: [Double], among places: Int, most: Int = 16) -> [Int] {
      let members = seconds.enumerated().map { number, seconds in
        SlurmPacks.Member(
          folder: JobFolder(URL(fileURLWithPath: "/\(number)")),
          submission: JobSubmission(memory: nil, threads: 1, minutes: 1), seconds: seconds,
          priority: 0)
      }
      let parts = SlurmPacks.divided(members, among: places, most: most)
      #expect(Set(parts.flatMap { $0.map(\.folder.url) }).count == seconds.count)
      return parts.map(\.count)
    }
    #expect(counts(Array(repeating: 3, count: 8), among: 2) == [4, 4])
    #expect(counts(Array(repeating: 3, count: 8), among: 1) == [8])
    #expect(counts(Array(repeating: 0.1, count: 16), among: 100) == [16])
    #expect(counts([30, 1, 1, 1], among: 2) == [1, 3])
    #expect(counts([50, 50], among: 1000) == [1, 1])
    #expect(counts([0], among: 5) == [1])
    #expect(counts(Array(repeating: 0.1, count: 33), among: 1) == [11, 11, 11])
    #expect(counts([30, 1, 1, 1], among: 1, most: 2) == [2, 2])
    #expect(counts([1, 1], among: 1, most: 0) == [1, 1])
  }

  @Test func processorsThatNoJobHas() {
    #expect(SlurmNodeListing.idleProcessors("3/5/0/8\n0/2/6/8\n") == 7)
    #expect(SlurmNodeListing.idleProcessors("w1|idle\n\n") == 0)
  }

  @Test func whichNodesTakeJobs() {
    let usable = SlurmNodeListing.usable(
      "w1|idle\nw2|mixed\nw3|drained\nw4|down*\nw5|idle*\nw6|allocated\nw6|allocated\nw7|failing\n\n"
    )
    #expect(usable == ["w1", "w2", "w6"])
  }
}
