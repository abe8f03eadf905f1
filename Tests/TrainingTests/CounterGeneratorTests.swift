import Testing

@testable import Training

struct CounterGeneratorTests {
  /// The vectors `philox4x32 10` that Random123 publishes (tests/kat_vectors).
  @Test(arguments: [
    (
      [0, 0, 0, 0] as [UInt32], [0, 0] as [UInt32],
      [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8] as [UInt32]
    ),
    (
      [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff], [0xffff_ffff, 0xffff_ffff],
      [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
    ),
    (
      [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0],
      [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
    ),
  ])
  func publishedVectors(counter: [UInt32], key: [UInt32], expected: [UInt32]) {
    let found = CounterGenerator.block(
      counter: SIMD4(counter[0], counter[1], counter[2], counter[3]), key: SIMD2(key[0], key[1]))
    #expect((0..<4).map { found[$0] } == expected)
  }

  @Test func streamsAreFunctionsOfTheirKey() {
    func first(_ seed: UInt64, _ step: Int, _ sample: Int, _ purpose: RandomPurpose) -> [UInt64] {
      var generator = CounterGenerator(seed: seed, step: step, sample: sample, purpose: purpose)
      return (0..<6).map { _ in generator.next() }
    }
    let reference = first(1, 2, 3, .space)
    #expect(first(1, 2, 3, .space) == reference)
    for other in [
      first(2, 2, 3, .space), first(1, 3, 3, .space), first(1, 2, 4, .space),
      first(1, 2, 3, .noise), first(1 << 32 | 1, 2, 3, .space),
    ] { #expect(Set(other).isDisjoint(with: reference)) }
  }

  @Test func momentsOfTheDistributions() {
    var generator = CounterGenerator(seed: 7, purpose: .noise)
    let count = 200_000
    let uniform = (0..<count).map { _ in generator.uniform() }
    let normal = (0..<count).map { _ in generator.normal() }
    func moment(_ values: [Double], _ power: Int) -> Double {
      values.reduce(0) { sum, value in
        sum + (0..<power).reduce(1.0) { product, _ in product * value }
      } / Double(values.count)
    }
    #expect(uniform.allSatisfy { (0..<1).contains($0) })
    #expect(abs(moment(uniform, 1) - 1.0 / 2) < 0.004)
    #expect(abs(moment(uniform, 2) - 1.0 / 3) < 0.004)
    #expect(abs(moment(normal, 1)) < 0.012)
    #expect(abs(moment(normal, 2) - 1) < 0.016)
    #expect(abs(moment(normal, 3)) < 0.05)
    #expect(abs(moment(normal, 4) - 3) < 0.15)
  }

  @Test func integersBelowABoundAreEquallyLikely() {
    var generator = CounterGenerator(seed: 3, purpose: .caseChoice)
    var counts = [Int](repeating: 0, count: 7)
    for _ in 0..<70_000 { counts[generator.integer(below: 7)] += 1 }
    // Six standard deviations of a count are 555.
    #expect(counts.allSatisfy { abs($0 - 10_000) < 560 })
    #expect((0..<100).allSatisfy { _ in generator.integer(below: 1) == 0 })
  }

  @Test func permutationsHoldEveryNumberOnce() {
    var generator = CounterGenerator(seed: 3, purpose: .folds)
    var firsts = [Int](repeating: 0, count: 5)
    for _ in 0..<5000 {
      let order = generator.permutation(5)
      #expect(order.sorted() == [0, 1, 2, 3, 4])
      firsts[order[0]] += 1
    }
    #expect(firsts.allSatisfy { abs($0 - 1000) < 170 })
  }
}
