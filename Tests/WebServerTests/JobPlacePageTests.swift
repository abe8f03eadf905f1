import JobLedger
import TestSupport
import Testing

@testable import Dashboard

/// Where a cluster computes a job is on the pages and in the API, as long as it runs.
@Suite(.limitedConcurrency) struct JobPlacePageTests {
  private let dashboard: TestedDashboard

  init() throws { dashboard = try TestedDashboard() }

  @Test func aJobOfAClusterSaysWhereItRuns() async throws {
    let ledger = dashboard.ledger
    let due = try #require(try ledger.seriesDue(quietPeriod: -1).first)
    try ledger.assembleSeries(due, jobs: [NewJob(model: "liver")])
    let id = try #require(try ledger.claimJob()?.id)
    let place = JobPlace(
      cluster: "Slurm", name: "segmentd-1-2-3-1", number: 17, state: "RUNNING", node: "w1",
      partition: "batch")
    try ledger.note(place, of: id)
    let reader = "Authorization: Bearer reader"
    try await dashboard.running {
      for path in ["/queue", "/studies/1.2"] {
        let page = try await dashboard.ask(path, "-H", reader)
        for words in ["segmentd-1-2-3-1 (job 17)", "RUNNING", "w1", "partition batch"] {
          #expect(page.body.contains(words), "\(path): \(words)")
        }
      }
      let answer = try await dashboard.ask("/api/v1/jobs?state=running", "-H", reader)
      #expect(answer.status == 200 && answer.body.contains("segmentd-1-2-3-1"))
      // It does not run any more.
      try ledger.holdJob(id, reason: "slices are missing")
      let page = try await dashboard.ask("/held", "-H", reader)
      #expect(page.body.contains("slices are missing") && !page.body.contains("segmentd-1-2-3-1"))
    }
  }
}
