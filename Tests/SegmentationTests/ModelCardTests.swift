import Foundation
import TestSupport
import Testing

@testable import Segmentation

/// Cards of the models that come with segmentd say what the template asks for.
@Suite struct ModelCardTests {
  private static let models = TestFiles.package.appendingPathComponent(
    "Sources/Segmentation/Models")

  /// The text below each heading of the second level, by heading, in order.
  private func sections(_ text: some StringProtocol) -> [(heading: String, text: String)] {
    text.components(separatedBy: "\n## ").dropFirst().map { section in
      let lines = section.components(separatedBy: "\n")
      let body = lines.dropFirst().joined(separator: "\n")
      return (lines[0], body.trimmingCharacters(in: .whitespacesAndNewlines))
    }
  }

  @Test(arguments: ["cardiac", "hippocampus"]) func theCardFollowsTheTemplate(name: String) throws {
    let page = try String(
      contentsOf: TestFiles.package.appendingPathComponent(
        "Sources/segmentd/Documentation.docc/ModelCard.md"), encoding: .utf8)
    let template = try #require(page.components(separatedBy: "```markdown\n").last)
      .components(separatedBy: "\n```")[0]
    let asked = sections(template).map(\.heading)
    #expect(asked.count == 10)

    let folder = Self.models.appendingPathComponent(name)
    let card = try String(
      contentsOf: folder.appendingPathComponent("CARD.md"), encoding: .utf8)
    let found = sections(card)
    #expect(found.map(\.heading) == asked)
    for section in found { #expect(section.text.count > 60, "\(section.heading)") }
    let bundle = try ModelBundle.load(at: folder)
    #expect(card.hasPrefix("# \(bundle.name) \(bundle.version)\n"))
    #expect(card.contains("Research use only"))
    let structures = try #require(found.first { $0.heading == asked[0] }).text
    for label in bundle.labels {
      #expect(structures.contains(label.type.value), "\(label.name)")
    }
  }

  @Test func everyModelHasACard() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.models.path)
      .filter { !$0.hasPrefix(".") }
    #expect(names.sorted() == ["cardiac", "hippocampus"])
  }
}
