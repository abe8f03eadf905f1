import Explanation
import Testing

@testable import Dashboard

/// Texts of tables and pages.
@Suite struct ShownTextTests {
  @Test func optionsAndFilesAreNotBroken() {
    let text = ShownText("Try segmentd jobs retry --dry-run first, see /etc/segmentd/a.yaml.")
    #expect(
      text.pieces.map(\.text) == [
        "Try segmentd jobs retry ", "--dry-run", " first, see ", "/etc/segmentd/a.yaml.",
      ])
    #expect(text.pieces.map(\.isWhole) == [false, true, false, true])
    // What is wider than a phone may break.
    let path = "/spool/\(String(repeating: "a", count: 40))"
    #expect(ShownText(path).pieces.map(\.isWhole) == [false])
    #expect(ShownText("a  b ").pieces.map(\.text) == ["a  b "])
  }

  @Test func longUIDsAreCutInRows() {
    let uids = ["1.2.826.0.1.3680043.8.498.1234567890", "2.25.123456789.4.5.678901"]
    let whole = "series \(uids[0]) and \(uids[1]): 2.5 mm, 1.2.3"
    let compact = CompactText(whole)
    #expect(compact.text == "series …8.498.1234567890 and …56789.4.5.678901: 2.5 mm, 1.2.3")
    #expect(compact.whole == whole)
    #expect(CompactText("2.5 mm").whole == nil)
  }

  /// Each group of reasons can be pointed to.
  @Test func groupsOfReasonsHaveAnchors() {
    let ids = ReasonsPage().parts.map(\.id)
    #expect(ids.prefix(2) == ["instances", "rules"])
    #expect(Set(ids).count == HeldReason.Part.allCases.count)
  }
}
