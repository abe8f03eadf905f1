import Foundation
import TestSupport
import Testing

/// `segmentd explain` on what a real daemon wrote.
@Suite(.serialized, .limitedConcurrency) struct ExplainTests {
  private struct Explanation: Decodable {
    struct Entry: Decodable {
      var kind: String
      var text: String
    }
    struct Wait: Decodable { var text: String }
    var states: [String]
    var story: [Entry]
    var waits: [Wait]
  }

  private func explain(_ setup: DaemonSetup, _ study: String, _ more: String...) async throws
    -> ProcessResult
  {
    try await runProcess(
      segmentdBinary, ["explain", "--config", setup.configuration, "--study", study] + more)
  }

  @Test func aCompletedAndAHeldStudyAreExplained() async throws {
    let setup = try DaemonSetup()
    let pacs = try await Orthanc(dicomPort: setup.destinationPort)
    let daemon = try await setup.start()
    let series = setup.folder.url.appendingPathComponent("series")
    let uids = try await makeSeries(at: series)
    #expect(try await setup.send(series).status == 0)
    let job = try #require(try await setup.endedJobs().first)
    #expect(job.state == "completed", "\(job.reason ?? "")")
    try await setup.delivered()

    // While the daemon runs.
    let told = try await explain(setup, uids.study)
    #expect(told.status == 0, "\(told.output)")
    for sentence in [
      "opened an association to SEGMENTD, over which series \(uids.series) came",
      "was released by the peer: 16 instances of series \(uids.series) stored, 0 refused",
      "rule untrained-tiny chose model untrained-tiny; modality is CT",
      "the geometry gate assessed series \(uids.series) by its headers",
      "attempt 1 at job 1 ended, completed;", "of memory at the peak of the process",
      "job 1 used model untrained-tiny 1.0.0 (SHA-256 ",
      "proved equal to the labels and to the source images: 1 segmentation "
        + "(\(try #require(job.sopInstanceUID)))",
      "the result of job 1 was delivered to pacs", "nothing to wait for",
    ] { #expect(told.output.contains(sentence), "\(sentence)\n\(told.output)") }
    #expect(!told.output.contains("PHANTOM"), "no patient name or ID")

    // Slices are missing.
    let gap = setup.folder.url.appendingPathComponent("gap")
    let other = try await makeSeries(at: gap, "--without", "5", "6")
    #expect(try await setup.send(gap).status == 0)
    _ = try await setup.endedJobs(2)
    #expect(try await daemon.end() == 0)
    let held = try await explain(setup, other.study, "--series", other.series, "--json")
    #expect(held.status == 0, "\(held.output)")
    let explanation = try JSONDecoder().decode(Explanation.self, from: Data(held.output.utf8))
    #expect(explanation.states.contains { $0.contains("job 2") && $0.contains("held") })
    #expect(explanation.story.contains { $0.kind == "verdict" && $0.text.contains("held: ") })
    #expect(explanation.waits.contains { $0.text.contains("job 2 is held") })
    try await pacs.stop()

    let unknown = try await explain(setup, "1.2.3")
    #expect(unknown.status != 0)
    #expect(unknown.output.contains("no series of study 1.2.3 was ever received"))
    let elsewhere = try await explain(setup, uids.study, "--series", other.series)
    #expect(elsewhere.status != 0 && elsewhere.output.contains(other.series))
  }
}
