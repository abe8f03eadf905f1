import DICOM
import DICOMNetwork
import Explanation
import FileSystem
import Foundation
import GeometryGate
import JobLedger
import Segmentation
import SeriesProcessing
import TestSupport
import Testing

@testable import Pipeline

/// Pages that have to be complete say what the code says.
@Suite struct DocumentationTests {
  private func page(_ name: String) throws -> String {
    try TextFile.read(
      TestFiles.package.appendingPathComponent("Sources/segmentd/Documentation.docc/\(name).md")
        .path)
  }

  /// Names of the cases of an enumeration that cannot be listed, as they have values.
  private func cases(of name: String, in file: String) throws -> [String] {
    let text = try TextFile.read(TestFiles.package.appendingPathComponent("Sources/\(file)").path)
    let start = try #require(text.range(of: "enum \(name): "))
    let body = text[start.upperBound...]
    let end = try #require(body.range(of: "\n  public var description"))
    return body[..<end.lowerBound].split(separator: "\n").compactMap { line in
      let words = line.trimmingCharacters(in: .whitespaces)
      guard words.hasPrefix("case ") else { return nil }
      return String(words.dropFirst(5).prefix { $0.isLetter })
    }
  }

  /// After a change: `segmentd conformance --page Sources/segmentd/Documentation.docc/ConformanceStatement.md`.
  @Test func theConformanceStatementHasTheTablesOfTheCode() throws {
    let page = try page("ConformanceStatement")
    #expect(ConformanceTables.missing(in: page) == [])
    #expect(ConformanceTables.updated(page) == page)
    #expect(!ConformanceTables.all.contains { $0.table.contains("| ? |") }, "a UID without a name")
    #expect(ConformanceTables.updated(page.replacing("11112", with: "104")) == page)
  }

  /// After a change: `Scripts/slurm/simulate.py --write`.
  @Test func thePageOnClustersHasTheTablesOfTheSimulation() async throws {
    let folder = TestFiles.package.appendingPathComponent("Scripts/slurm")
    let result = try await runProcess(
      testPython, [folder.appendingPathComponent("simulate.py").path])
    #expect(result.status == 0 && result.output.contains("| 1,000,000 | 1,000 |"))
    let page = try page("ClusterScale")
    #expect(
      page.contains(
        "<!-- simulation: begin -->\n\(result.output.trimmingCharacters(in: .newlines))\n<!-- simulation: end -->"
      ))
    // Each parameter is of a file that a script of ours wrote.
    struct Parameters: Decodable {
      struct Parameter: Decodable { var from: String }
      struct Command: Decodable {
        var command: String
        var measuredAt: String
      }
      var parameters: [String: Parameter]
      var commands: [String: Command]
    }
    let parameters = try JSONDecoder().decode(
      Parameters.self, from: Data(contentsOf: folder.appendingPathComponent("parameters.json")))
    #expect(parameters.parameters.count > 10)
    let files = parameters.parameters.values.flatMap { $0.from.components(separatedBy: ", ") }
    #expect(Set(files).isSubset(of: parameters.commands.keys))
    for command in parameters.commands.values {
      let script = try #require(command.command.split(separator: " ").first)
      let places = ["Scripts/\(script)", "Scripts/slurm/\(script)"]
      #expect(
        places.contains {
          FileManager.default.fileExists(
            atPath: TestFiles.package.appendingPathComponent($0).path)
        }, "\(script)")
    }
  }

  /// The arrows of a picture, from each state to another.
  private func arrows(_ name: String) throws -> Set<String> {
    let text = try TextFile.read(
      TestFiles.package.appendingPathComponent("Sources/segmentd/Documentation.docc/\(name).dot")
        .path)
    return Set(
      text.split(separator: "\n").compactMap { line in
        let words = line.split(separator: " ").map { $0.trimmingCharacters(in: [";", " "]) }
        guard words.count >= 3, words[1] == "->", words[0] != "start" else { return nil }
        return "\(words[0]) \(words[2].prefix { $0.isLetter })"
      })
  }

  @Test func thePicturesDrawTheTransitionsOfTheCode() throws {
    #expect(
      try arrows("job-states")
        == Set(JobState.allCases.flatMap { from in from.next.map { "\(from) \($0)" } }))
    #expect(
      try arrows("delivery-states")
        == Set(DeliveryState.allCases.flatMap { from in from.next.map { "\(from) \($0)" } }))
  }

  /// The words in backquotes of a text.
  private func quoted(_ text: some StringProtocol) -> [String] {
    text.split(separator: "`", omittingEmptySubsequences: false).enumerated()
      .filter { $0.offset % 2 == 1 }.map { String($0.element) }
  }

  /// The cells of the table that begins with a heading.
  private func table(_ heading: String, _ page: String) throws -> [[Substring]] {
    let start = try #require(page.range(of: "\n| \(heading) |"))
    return page[start.upperBound...].split(separator: "\n", omittingEmptySubsequences: false)
      .dropFirst(2).prefix { $0.hasPrefix("|") }.map { $0.split(separator: "|") }
  }

  /// Every transition that the code has is in the table, no other, and each with tests that there are.
  @Test func eachTransitionHasATest() throws {
    let page = try page("Contributing")
    let tests = TestFiles.package.appendingPathComponent("Tests")
    let files = try #require(
      FileManager.default.enumerator(at: tests, includingPropertiesForKeys: nil)
    )
    .compactMap { $0 as? URL }
    let code = try files.filter { $0.pathExtension == "swift" }
      .map { try TextFile.read($0.path) }.joined()
    func states<State: CaseIterable & Hashable>(_ next: (State) -> Set<State>) -> Set<String> {
      Set(State.allCases.flatMap { from in next(from).map { "\(from) \($0)" } })
    }
    for (heading, expected) in [
      ("job", states { (state: JobState) in state.next }),
      ("delivery", states { (state: DeliveryState) in state.next }),
      ("request for storage commitment", states { (state: CommitmentState) in state.next }),
    ] {
      var found: Set<String> = []
      for row in try table(heading, page) {
        let steps = row[0].components(separatedBy: "→").map(quoted)
        for (from, to) in zip(steps, steps.dropFirst()) {
          found.formUnion(from.flatMap { from in to.map { "\(from) \($0)" } })
        }
        let named = quoted(try #require(row.last))
        #expect(!named.isEmpty, "\(row)")
        for test in named {
          let name = test.split(separator: "/").last ?? ""
          #expect(
            code.contains("func \(name)(") || code.contains("struct \(name) ")
              || files.contains { $0.lastPathComponent == name }, "\(test)")
        }
      }
      #expect(found == expected, "\(heading)")
    }
  }

  @Test func eachReasonForHoldingHasAnEntry() throws {
    let page = try page("HeldReasons")
    var names = GeometryFinding.Kind.allCases.map(\.rawValue)
    names += try cases(
      of: "InputRefusal", in: "Segmentation/Limits/InputRefusal.swift")
    names += try cases(of: "ChannelRefusal", in: "SeriesProcessing/ChannelSelection.swift")
    names += try cases(
      of: "CardiacCycleError", in: "Segmentation/Prediction/CardiacCycle.swift")
    #expect(names.count > 40)
    for name in names { #expect(page.contains("| `\(name)` |"), "\(name)") }
  }

  /// What models refuse is known by its text as its own row of the guide.
  @Test func refusalsAreKnownByTheirTexts() throws {
    let accepted = OutputLimit.Accepted(millilitres: [1, 2], largestPart: 0.5)
    let refusals: [any Error & CustomStringConvertible] = [
      InputRefusal.modality(found: "MR", accepted: ["CT"]),
      InputRefusal.bodyPart(found: "HEAD", accepted: ["ABDOMEN"]),
      InputRefusal.channelCount(found: 1, expected: 4),
      InputRefusal.channelsOnDifferentGrids(channel: 1),
      InputRefusal.voxelCount(channel: 0, found: 1, expected: 2),
      InputRefusal.spacing(axis: 0, found: 9, min: 1, max: 2),
      InputRefusal.extent(axis: 1, found: 9, min: 1, max: 2),
      InputRefusal.orientation([.left, .left, .left]), InputRefusal.notFinite(channel: 0),
      InputRefusal.constant(channel: 0, value: 1),
      InputRefusal.intensity(channel: 0, statistic: .zeroFraction, found: 1, min: 2, max: 3),
      InputRefusal.result(name: "liver", millilitres: 9, largestPart: 1, accepted: accepted),
      ChannelRefusal.missing(channel: "t1", candidates: ["series 1.2: Modality (0008,0060) is CT"]),
      ChannelRefusal.ambiguous(channel: "t1", candidates: ["series 1.2", "series 1.3"]),
      ChannelRefusal.sharedSeries(series: "1.2", channels: ["t1", "t2"]),
      ChannelRefusal.noFrameOfReference(series: "1.2"),
      ChannelRefusal.otherFrameOfReference(channel: "t1", series: "1.2", reference: "1.3"),
      ChannelRefusal.unknownChannel(name: "t9", known: ["t1"]),
      ChannelRefusal.unknownSeries(channel: "t1", series: "1.2"),
      ChannelRefusal.noChannels(model: "m", inputChannels: 4),
      CardiacCycleError.tooFewPhases(1),
      CardiacCycleError.noContraction(endDiastolic: 1, endSystolic: 2),
      CardiacCycleError.implausibleFraction(cavity: "LV", found: 0.9, accepted: [0.1, 0.8]),
    ]
    var names: Set<String> = []
    for refusal in refusals {
      let label = try #require(Mirror(reflecting: refusal).children.first?.label)
      let name = "`\(label)`"
      let reasons = HeldReason.reasons(in: refusal.description)
      #expect(reasons.map(\.name) == [name], "\(refusal)")
      for reason in reasons { names.insert("\(reason.part) \(reason.name)") }
    }
    let rows = [HeldReason.Part.model, .channels, .cine].flatMap(\.reasons)
      .filter { $0.name.hasPrefix("`") }.map { "\($0.part) \($0.name)" }
    #expect(names == Set(rows))
  }
}
