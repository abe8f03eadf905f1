import Foundation
import TestSupport
import Testing

/// The guide says how many faults are injected into each kind of object: as many as there are.
@Suite struct FaultCountTests {
  private func guide() throws -> String {
    let file = TestFiles.package.appendingPathComponent(
      "Sources/segmentd/Documentation.docc/Results.md")
    return try String(contentsOf: file, encoding: .utf8)
      .split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  @Test func theGuideCountsTheFaults() throws {
    let guide = try guide()
    let written = InjectedFaultTests.ofTheAudit.count + InjectedFaultTests.further.count
    for sentence in [
      "Tests inject \(written) faults of all these kinds into written objects, and "
        + "\(ModelProofTests.faults.count) into what the writer is given.",
      "Tests inject \(ReportFaultTests.faults.count) faults.",
      "Tests inject \(CaptureFaultTests.faults.count) faults into objects of many frames, "
        + "\(CaptureFaultTests.ofSingleFrames.count) into those of one and "
        + "\(CaptureFaultTests.ofThePage.count) into pages,",
    ] { #expect(guide.contains(sentence), "\(sentence)") }
  }

  /// The audit of the first proof had 35 faults, and each proof has to find as many and 20 more.
  @Test func thereAreAsManyAsAreDue() {
    #expect(InjectedFaultTests.ofTheAudit.count == 35)
    #expect(InjectedFaultTests.further.count >= 20)
  }
}
