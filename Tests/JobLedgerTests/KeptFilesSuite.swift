import Foundation
import Testing

@testable import JobLedger

/// What tests of retention and of purges ask and do.
protocol KeptFilesSuite {
  var fixture: LedgerFixture { get }
}

extension KeptFilesSuite {
  var ledger: Ledger { fixture.ledger }

  func originals() throws -> [String: KeptFiles.State] {
    let found = try ledger.keptOriginals(after: .start)
    #expect(found.next == nil)
    return Dictionary(
      uniqueKeysWithValues: found.files.map { ($0.seriesInstanceUID, $0.state) })
  }

  func results() throws -> [Int64: KeptFiles.State] {
    Dictionary(
      uniqueKeysWithValues: try ledger.keptResults(after: 0).files.map { ($0.job ?? 0, $0.state) })
  }

  func complete(
    _ job: Int64, _ result: JobResult? = nil, to destinations: [DeliveryTarget] = ["pacs"]
  ) throws {
    _ = try #require(try ledger.claimJob(id: job))
    try ledger.completeJob(job, result: result ?? .test(job), destinations: destinations)
  }

  func deliver() throws {
    while let delivery = try ledger.claimDelivery() { try ledger.markDelivered(delivery) }
  }

  func apply(_ action: JobAction, _ job: Int64) throws {
    var selection = JobSelection()
    selection.jobs = [job]
    #expect(try ledger.apply(action, to: selection).first?.isChanged == true)
  }

  func purge(_ series: String = "1.2.3") throws -> PurgedFiles? {
    let files = try ledger.keptOriginals(after: .start).files
    return try ledger.purge(
      try #require(files.first { $0.seriesInstanceUID == series }), reason: "a test")
  }
}

extension LedgerFixture {
  func reprocess() throws -> Int64 { try ledger.reprocess(series: "1.2.3", job: .test()) }
}
