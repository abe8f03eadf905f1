import Foundation
import TestSupport
import Testing

@testable import TrainingRuns

struct CaseSplitTests {
  private let cases = (1...10).flatMap { ["p\($0)_a", "p\($0)_b"] }

  private func file(_ text: String) throws -> URL {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("split-\(UUID().uuidString).json")
    try Data(text.utf8).write(to: url)
    return url
  }

  @Test func entriesAreCasesOrPatients() throws {
    let url = try file(#"{"seed": 1, "training": ["p1", "p2_a"], "heldOut": ["p10"]}"#)
    defer { try? FileManager.default.removeItem(at: url) }
    let split = try CaseSplit(file: url, cases: cases)
    #expect(split.training == ["p1_a", "p1_b", "p2_a"])  // p10 is another patient
    #expect(split.heldOut == ["p10_a", "p10_b"])
  }

  @Test(arguments: [
    (#"{"training": ["p1"]}"#, "heldOut"), (#"{"training": "p1", "heldOut": []}"#, "the lists"),
    ("[", "JSON"), (#"{"training": ["p77"], "heldOut": []}"#, "p77"),
    (#"{"training": ["p1"], "heldOut": ["p1_b"]}"#, "p1_b"),
    (#"{"training": [], "heldOut": ["p1_b"]}"#, "training is empty"),
  ])
  func badFilesAreRefused(text: String, named: String) throws {
    let url = try file(text)
    defer { try? FileManager.default.removeItem(at: url) }
    let error = try #require(throws: CaseSplitError.self) {
      try CaseSplit(file: url, cases: cases)
    }
    #expect(error.description.contains(url.path) && error.description.contains(named))
  }

  @Test func aFileThatIsNotThereIsNamed() {
    let url = URL(fileURLWithPath: "/nowhere/split.json")
    let error = CaseSplitError.unreadable(
      path: "/nowhere/split.json", reason: "No such file or directory")
    #expect(throws: error) { try CaseSplit(file: url, cases: cases) }
  }

  @Test func foldsKeepPatientsTogetherAndGroupsBalanced() throws {
    var held: [String] = []
    for index in 0..<5 {
      let split = try CaseSplit(
        fold: index, of: 5, cases: cases, seed: 4, patient: CaseSplit.prefixBeforeUnderscore,
        group: { Int($0.dropFirst())! <= 5 ? "low" : "high" })
      #expect(Set(split.training).union(split.heldOut) == Set(cases))
      #expect(Set(split.training).isDisjoint(with: split.heldOut))
      let patients = Set(split.heldOut.map(CaseSplit.prefixBeforeUnderscore))
      #expect(split.heldOut.count == 2 * patients.count)
      #expect(patients.count { Int($0.dropFirst())! <= 5 } == 1)
      held += split.heldOut
    }
    #expect(held.sorted() == cases.sorted())
    let again = try CaseSplit(fold: 0, of: 5, cases: cases.reversed(), seed: 4)
    #expect(try again == CaseSplit(fold: 0, of: 5, cases: cases, seed: 4))
    #expect(throws: CaseSplitError.fold(index: 5, count: 5, patients: 20)) {
      try CaseSplit(fold: 5, of: 5, cases: cases, seed: 4)
    }
  }
}
