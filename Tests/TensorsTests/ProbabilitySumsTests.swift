import Foundation
import Testing

@testable import Tensors

struct ProbabilitySumsTests {
  /// Rows that fill no vector, both directions, with and without weights, against the definition in
  /// double precision.
  @Test(
    arguments: [(1, 2), (15, 3), (16, 14), (37, 14), (128, 5)],
    InstructionSet.allCases.filter(\.isAvailable))
  func equalTheDefinition(size: (count: Int, classes: Int), set: InstructionSet) throws {
    let sums = try #require(ProbabilitySums(instructions: set))
    let (count, classes) = (size.count, size.classes)
    let (logitsPlane, sumsPlane) = (count + 3, count + 5)
    let memory = TestMemory()
    // Logits as far apart as the exponential vanishes.
    let logits = memory.random(classes * logitsPlane).map { $0 * 60 }
    let before = memory.random(classes * sumsPlane)
    let weights = memory.random(count)
    for (isReversed, isWeighted) in [(false, true), (true, true), (false, false), (true, false)] {
      let found = try memory.floats(before)
      sums.add(
        try memory.floats(logits), logitsPlane: logitsPlane, classes: classes,
        weights: isWeighted ? try memory.floats(weights) : nil, share: 0.125,
        isReversed: isReversed, to: found, sumsPlane: sumsPlane, count: count)
      var expected = before
      for x in 0..<count {
        let source = isReversed ? count - 1 - x : x
        let values = (0..<classes).map { Double(logits[$0 * logitsPlane + source]) }
        let most = values.max() ?? 0
        let sum = values.reduce(0) { $0 + exp($1 - most) }
        for index in 0..<classes {
          let weight = isWeighted ? Double(weights[x]) : 1
          expected[index * sumsPlane + x] += Float(
            0.125 * weight * exp(values[index] - most) / sum)
        }
      }
      // What is between the rows stays as it was.
      #expect(before.indices.allSatisfy { abs(found[$0] - expected[$0]) < 3e-7 })
    }
  }
}
