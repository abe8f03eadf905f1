import Foundation
import TestSupport
import Testing

/// Made-up cardiac studies as three vendors name and describe their series: the example
/// configuration's rule finds the short-axis cine among the rest, and a model of cine holds the rest
/// by itself where no rule keeps it away.
@Suite(.limitedConcurrency) struct CardiacStudyTests {
  enum Vendor: String, CaseIterable { case siemens, ge, philips }

  /// A series of a study, or the series of the short-axis stack.
  private enum UIDs: Decodable {
    case one(String)
    case several([String])

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let one = try? value.decode(String.self) {
        self = .one(one)
      } else {
        self = .several(try value.decode([String].self))
      }
    }

    var all: [String] {
      switch self {
      case .one(let uid): [uid]
      case .several(let uids): uids
      }
    }
  }

  private struct Trial: Decodable {
    struct Study: Decodable { var rules: [Rule] }
    struct Rule: Decodable {
      var rule: String
      var decisions: [Decision]
    }
    struct Decision: Decodable {
      var seriesInstanceUID: String
      var kind: String
      var reason: String
    }
    var studies: [Study]
  }

  private let folder: TemporaryFolder
  private var study: URL { folder.url.appendingPathComponent("study") }

  init() throws { folder = try TemporaryFolder() }

  /// - Returns: what each series is, by its UID.
  private func makeStudy(_ vendor: Vendor) async throws -> [String: String] {
    let made = try await runScript(
      "generators/make_cardiac_study.py", [study.path, vendor.rawValue], as: [String: UIDs].self)
    return Dictionary(
      uniqueKeysWithValues: made.flatMap { what, uids in uids.all.map { ($0, what) } })
  }

  /// The example configuration, as it is.
  private func exampleConfiguration() throws -> String {
    let example = TestFiles.package.appendingPathComponent("Config/segmentd.yaml")
    let text = try String(contentsOf: example, encoding: .utf8)
    let file = folder.url.appendingPathComponent("segmentd.yaml")
    try text.write(to: file, atomically: true, encoding: .utf8)
    return file.path
  }

  @Test(arguments: Vendor.allCases)
  func theExampleRuleFindsTheShortAxisCine(_ vendor: Vendor) async throws {
    let names = try await makeStudy(vendor)
    let result = try await segmentd(
      "rules", "test", "--json", "--config", try exampleConfiguration(), study.path)
    // Messages of a model that is not there come first.
    let start = try #require(result.output.range(of: "{\n"), "\(result.output)")
    let trial = try JSONDecoder().decode(
      Trial.self, from: Data(result.output[start.lowerBound...].utf8))
    let rules = try #require(trial.studies.first).rules
    let cardiac = try #require(rules.first)
    #expect(cardiac.rule == "short-axis cine")
    #expect(cardiac.decisions.count >= 9)
    for decision in cardiac.decisions {
      let what = names[decision.seriesInstanceUID] ?? "?"
      #expect(
        decision.kind == (what == "cine" ? "selected" : "noMatch"),
        "\(what): \(decision.kind), \(decision.reason)")
    }
    #expect(cardiac.decisions.count { $0.kind == "selected" } == 1)
    // No series of several phases is one for the model of a still organ.
    let still = try #require(rules.last)
    #expect(still.rule == "hippocampus")
    let taken = still.decisions.filter { $0.kind == "selected" }
      .compactMap { names[$0.seriesInstanceUID] }
    #expect(!taken.contains("cine") && !taken.contains("four"), "\(taken)")
  }

  /// Without a rule, by what `channels` in the bundle demands and by the gate.
  @Test(arguments: Vendor.allCases)
  func theModelHoldsWhatIsNoShortAxisCine(_ vendor: Vendor) async throws {
    let names = try await makeStudy(vendor)
    let model = try await makeThresholdBundle("heart", in: folder.url)
    let result = try await segmentd(
      "run", "--model", model.path, "--output", folder.url.path + "/out", "--json", study.path)
    let start = try #require(result.output.range(of: "[\n"), "\(result.output)")
    let rows = try JSONDecoder().decode(
      [RunRow].self, from: Data(result.output[start.lowerBound...].utf8))
    let held = rows.filter { $0.state == "held" }
    #expect(held.allSatisfy { $0.reasons?.isEmpty == false })
    let demands = Dictionary(
      held.compactMap { row in
        names[row.seriesInstanceUID ?? ""].map { ($0, row.reasons?.joined(separator: "; ") ?? "") }
      }, uniquingKeysWith: { $1 })
    func expect(_ what: String, _ reason: String) {
      #expect(demands[what]?.contains(reason) == true, "\(what): \(demands[what] ?? "not held")")
    }
    expect("localizer", "imagesPerSlice is 1, wanted 2 to 128")
    expect("late", "scanningSequence is GR\\IR")
    expect("perfusion", "slices is \(vendor == .ge ? 4 : 3), wanted 5 to 24")
    expect("perfusion", "sequenceVariant is ")
    expect("two", "slices is 1")
    expect("flow", "slices is 1")
    switch vendor {
    case .siemens:
      expect("flowPhase", "imageType is ORIGINAL\\PRIMARY\\P")
      expect("molli", "scanningSequence is GR\\IR")
      expect("tagging", "slices is 3")
    case .ge: expect("black", "scanningSequence is SE")
    case .philips: expect("three", "slices is 3")
    }
  }

  /// The one line that leaves a model out.
  @Test func anExcludedModelIsNotAskedFor() async throws {
    let file = folder.url.appendingPathComponent("segmentd.yaml")
    func check(_ exclude: String) async throws -> ProcessResult {
      try "stateDirectory: state\nmodels: {exclude: \(exclude)}\nrules: [{model: cardiac-none}]\n"
        .write(to: file, atomically: true, encoding: .utf8)
      return try await segmentd("config", "check", "--config", file.path)
    }
    let excluded = try await check("[cardiac-none, hippocampus]")
    #expect(excluded.status == 0, "\(excluded.output)")
    #expect(
      excluded.output.contains("excluded model: cardiac-none (there is no model of that name)"))
    #expect(excluded.output.contains("excluded model: hippocampus\n"))
    #expect(!excluded.output.contains("\nmodel: "))
    let used = try await check("[]")
    #expect(used.status != 0 && used.output.contains("there is no model \"cardiac-none\""))
  }
}
