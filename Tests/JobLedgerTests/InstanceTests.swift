import Testing

@testable import JobLedger

@Suite struct InstanceTests {
  @Test func anInstanceIsRecordedOnceAndAnIdenticalOneChangesNothing() throws {
    let fixture = try LedgerFixture()
    let record = InstanceRecord.test(1)
    #expect(try fixture.ledger.recordInstance(record) == .added)
    var again = record
    again.spoolPath = "spool/other.dcm"
    #expect(try fixture.ledger.recordInstance(again) == .identical)
    #expect(try fixture.ledger.instances(series: "1.2.3") == [record])
    #expect(try fixture.ledger.knows(spoolPath: record.spoolPath))
    #expect(try !fixture.ledger.knows(spoolPath: again.spoolPath))
  }

  @Test func otherContentIsKeptBesideTheFirst() throws {
    let fixture = try LedgerFixture()
    let first = InstanceRecord.test(1)
    let second = InstanceRecord.test(1, content: 99)
    #expect(try fixture.ledger.recordInstance(first) == .added)
    #expect(try fixture.ledger.recordInstance(second) == .conflicting)
    #expect(try fixture.ledger.recordInstance(second) == .identical)
    #expect(
      try fixture.ledger.spoolPaths(series: "1.2.3") == [first.spoolPath, second.spoolPath])
  }

  @Test func theSameInstanceInAnotherSeriesIsAConflict() throws {
    let fixture = try LedgerFixture()
    var moved = InstanceRecord.test(1)
    try fixture.receive(moved)
    moved.seriesInstanceUID = "1.2.4"
    moved.spoolPath = "spool/moved.dcm"
    #expect(try fixture.ledger.recordInstance(moved) == .conflicting)
    #expect(try fixture.ledger.spoolPaths(series: "1.2.4") == ["spool/moved.dcm"])
  }

  @Test func anInstanceThatCannotBeWrittenLeavesNothingBehind() throws {
    let fixture = try LedgerFixture()
    var record = InstanceRecord.test(1)
    record.contentHash = "short"
    #expect(throws: LedgerError.self) { try fixture.ledger.recordInstance(record) }
    #expect(throws: LedgerError.unknownStudy("1.2")) { try fixture.ledger.series(ofStudy: "1.2") }
    #expect(try fixture.ledger.seriesDue(quietPeriod: 0).isEmpty)
  }

  @Test func everyFieldComesBack() throws {
    let fixture = try LedgerFixture()
    for source in [InstanceSource.listener, .watch, .command] {
      var record = InstanceRecord.test(1, series: "1.9.\(source.rawValue.count)", peer: nil)
      record.source = source
      try fixture.receive(record)
      #expect(try fixture.ledger.instances(series: record.seriesInstanceUID) == [record])
    }
  }
}
