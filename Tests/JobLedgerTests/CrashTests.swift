import Testing

@testable import JobLedger

/// After the receiving process crashed: its associations, and the files that it was reading.
@Suite struct CrashTests {
  private let fixture: LedgerFixture
  private var ledger: Ledger { fixture.ledger }

  init() throws { fixture = try LedgerFixture() }

  private func crash(_ file: String = "/in/a", version: String = "1", isCertain: Bool = false)
    throws -> CrashSuspicion
  {
    try ledger.recordCrash(
      ofFile: file, version: version, isCertain: isCertain, reason: "the process crashed")
  }

  @Test func onlyTheAssociationsOfTheProcessAreInterrupted() throws {
    let ended = fixture.association("d/1/1")
    let others = ["d/11/1", "d/2/1", "e/1/1"].map { fixture.association($0) }
    try fixture.receive(1...2, over: ended)
    for (number, other) in others.enumerated() {
      try fixture.receive(number + 3...number + 3, over: other)
    }
    #expect(try ledger.instancesInDoubt(of: .one("d/1")).count == 5)
    try ledger.endReception(ofSession: "d/1", message: "it crashed")
    let associations = try ledger.read { try ledger.associations(series: "1.2.3", $0) }
    #expect(associations.map(\.outcome) == [.interrupted, nil, nil, nil])
    #expect(associations[0].message == "it crashed")
    // Jobs that run are not touched, as they are by the start of a daemon, which spares its own processes.
    try ledger.rescue(daemon: "d")
    #expect(
      try ledger.read { try ledger.associations(series: "1.2.3", $0) }.map(\.outcome)
        == [.interrupted, nil, nil, .interrupted])
  }

  @Test func aRunningJobIsLeftAlone() throws {
    try fixture.receive(.test(1))
    #expect(try fixture.assembleDue() == ["available"])
    let job = try #require(try ledger.claimJob())
    try ledger.endReception(ofSession: "d/1", message: "it crashed")
    #expect(try ledger.job(job.id).attempts.map(\.outcome) == [nil])
  }

  @Test func aFileIsRefusedAtTheSecondCrash() throws {
    #expect(try ledger.crashSuspicion(ofFile: "/in/a", version: "1") == nil)
    #expect(try crash() == .suspected)
    #expect(try ledger.crashSuspicion(ofFile: "/in/a", version: "1") == .suspected)
    #expect(try ledger.refusals().isEmpty)
    #expect(try crash() == .refused)
    #expect(try ledger.crashSuspicion(ofFile: "/in/a", version: "1") == .refused)
    #expect(try ledger.refusals().map(\.instance.reason) == ["the process crashed"])
  }

  @Test func aFileThatIsCertainlyToBlameIsRefusedAtOnce() throws {
    #expect(try crash(isCertain: true) == .refused)
    #expect(try ledger.refusals().map(\.instance.file) == ["/in/a"])
  }

  @Test func aChangedFileIsAnotherOne() throws {
    #expect(try crash(isCertain: true) == .refused)
    #expect(try ledger.crashSuspicion(ofFile: "/in/a", version: "2") == nil)
    #expect(try crash(version: "2") == .suspected)
    #expect(try crash("/in/b") == .suspected)
  }

  @Test func aFileThatWasReadIsSuspectedNoMore() throws {
    #expect(try crash() == .suspected)
    try ledger.clearCrashes(ofFile: "/in/a")
    #expect(try ledger.crashSuspicion(ofFile: "/in/a", version: "1") == nil)
    #expect(try crash() == .suspected)
  }
}
