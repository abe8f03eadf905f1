import Foundation
import JobLedger
import TestSupport
import Testing

@Suite struct InstancesTests {
  @Test func theSameInstanceAgainChangesNothing() throws {
    let setup = try LedgerSetup()
    #expect(try setup.receive("1.2.1") == .added)
    #expect(try setup.receive("1.2.1") == .identical)
    #expect(try setup.ledger.spoolPaths(series: "1.2").count == 1)
  }

  @Test func otherContentUnderTheSameUIDIsKeptBesideTheFirst() throws {
    let setup = try LedgerSetup()
    try setup.receive("1.2.1")
    #expect(try setup.receive("1.2.1", content: 1) == .conflicting)
    #expect(try setup.ledger.spoolPaths(series: "1.2").count == 2)
  }

  @Test func aSeriesIsDueOnceItWasQuietForThePeriod() throws {
    let setup = try LedgerSetup()
    try setup.receive("1.2.1")
    setup.wait(20)
    try setup.receive("1.2.2")
    setup.wait(20)
    #expect(try setup.ledger.seriesDue(quietPeriod: 30).isEmpty)
    setup.wait(10)
    #expect(try setup.ledger.seriesDue(quietPeriod: 30).map(\.instanceCount) == [2])
    try setup.assemble()
    setup.wait(1000)
    #expect(try setup.ledger.seriesDue(quietPeriod: 30).isEmpty)
  }

  @Test func anInstanceThatArrivesDuringAssemblyIsNotForgotten() throws {
    let setup = try LedgerSetup()
    try setup.receive("1.2.1")
    setup.wait(60)
    let due = try #require(try setup.ledger.seriesDue(quietPeriod: 30).first)
    try setup.receive("1.2.2")
    try setup.ledger.assembleSeries(due, jobs: [LedgerSetup.newJob()], heldBecause: nil)
    #expect(try setup.ledger.jobs().isEmpty)
    setup.wait(60)
    try setup.assemble()
    #expect(try setup.ledger.jobs().map(\.instances) == [2])
  }

  @Test func theFileIsPrivateDurableAndConstrained() throws {
    let setup = try LedgerSetup()
    try setup.receive("1.2.1")
    for ending in ["", "-wal", "-shm"] {
      let mode = try FileManager.default.attributesOfItem(atPath: setup.path + ending)
      #expect(mode[.posixPermissions] as? Int == 0o600)
    }
  }

  @Test func aFolderThatCannotBeWrittenAndAForeignFileAreNamed() throws {
    #expect(throws: LedgerError.self) { try JobLedger(path: "/proc/ledger.sqlite") }
    let folder = try TemporaryFolder()
    let foreign = folder.url.appendingPathComponent("ledger.sqlite")
    try Data(repeating: 65, count: 8192).write(to: foreign)
    do {
      _ = try JobLedger(path: foreign.path)
      Issue.record("a foreign file was opened")
    } catch {
      #expect(error.description.contains(foreign.path))
    }
    #expect(try Data(contentsOf: foreign) == Data(repeating: 65, count: 8192))
  }
}
