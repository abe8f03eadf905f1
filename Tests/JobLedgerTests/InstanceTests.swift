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
    #expect(try fixture.ledger.instances(series: "1.2.3").all == [record])
    let known = try fixture.ledger.spoolPaths(inFolder: "spool")
    #expect(known.contains(record.spoolPath))
    #expect(!known.contains(again.spoolPath))
  }

  @Test func otherContentIsKeptBesideTheFirst() throws {
    let fixture = try LedgerFixture()
    let first = InstanceRecord.test(1)
    let second = InstanceRecord.test(1, content: 99)
    #expect(try fixture.ledger.recordInstance(first) == .added)
    #expect(try fixture.ledger.recordInstance(second) == .conflicting)
    #expect(try fixture.ledger.recordInstance(second) == .identical)
    #expect(
      try fixture.ledger.instances(series: "1.2.3").all.map(\.spoolPath) == [
        first.spoolPath, second.spoolPath,
      ])
  }

  /// Of several versions the one received last counts, in the order of receipt and nothing else.
  @Test func theVersionReceivedLastIsCurrent() throws {
    let fixture = try LedgerFixture()
    let other = InstanceRecord.test(2)
    let (first, second) = (InstanceRecord.test(1), InstanceRecord.test(1, content: 99))
    for record in [first, other, second] { try fixture.receive(record) }
    var instances = try fixture.ledger.instances(series: "1.2.3")
    #expect(instances.current == [other, second] && instances.replaced == [first])
    #expect(instances.all.count == 3)

    #expect(try fixture.ledger.recordInstance(first) == .restored)
    #expect(try fixture.ledger.recordInstance(first) == .identical)
    instances = try fixture.ledger.instances(series: "1.2.3")
    #expect(instances.current == [other, first] && instances.replaced == [second])
    #expect(try fixture.ledger.recordInstance(second) == .restored)
    instances = try fixture.ledger.instances(series: "1.2.3")
    #expect(instances.current == [other, second] && instances.replaced == [first])
  }

  /// A job sees each instance in the version that was current when the job was made, also after an
  /// earlier version came again.
  @Test func aJobSeesTheVersionsOfItsRevision() throws {
    let fixture = try LedgerFixture()
    let (first, second) = (InstanceRecord.test(1), InstanceRecord.test(1, content: 99))
    var jobs: [Int64] = []
    for record in [first, second, first] {
      try fixture.receive(record)
      jobs.append(try fixture.ledger.reprocess(series: "1.2.3", job: .test()))
    }
    #expect(
      try jobs.map { try fixture.ledger.instances(job: $0).current } == [
        [first], [second], [first],
      ])
    #expect(
      try jobs.map { try fixture.ledger.instances(job: $0).replaced } == [
        [], [first], [second],
      ])
    #expect(try fixture.ledger.jobs().map(\.instances) == [1, 1, 1])
    #expect(throws: LedgerError.unknownJob(77)) { try fixture.ledger.instances(job: 77) }
  }

  /// Each version that comes to count makes the series due again.
  @Test func aCorrectedSeriesIsAssembledAgain() throws {
    let fixture = try LedgerFixture()
    let (first, second) = (InstanceRecord.test(1), InstanceRecord.test(1, content: 99))
    for (number, record) in [first, second, first, second].enumerated() {
      try fixture.receive(record)
      fixture.clock.advance(60)
      let due = try #require(try fixture.ledger.seriesDue(quietPeriod: 30).first)
      #expect(due.revision == number + 1 && due.instanceCount == 1)
      try fixture.ledger.assembleSeries(due, jobs: [.test()])
    }
    try fixture.receive(second)
    fixture.clock.advance(60)
    #expect(try fixture.ledger.seriesDue(quietPeriod: 30).isEmpty)
  }

  /// An archive that moves a series sends its instances again with the other study's UID.
  @Test func aSeriesFollowsItsInstancesToAnotherStudy() throws {
    let fixture = try LedgerFixture()
    try fixture.receive(.test(1))
    try fixture.receive(.test(2, study: "9.9"))
    #expect(
      try fixture.ledger.instances(series: "1.2.3").all.map(\.studyInstanceUID) == ["1.2", "1.2"])
    try fixture.receive(.test(1, study: "9.9", content: 99))
    #expect(try fixture.ledger.series(ofStudy: "9.9").map(\.seriesInstanceUID) == ["1.2.3"])
    #expect(throws: LedgerError.unknownStudy("1.2")) { try fixture.ledger.series(ofStudy: "1.2") }
  }

  /// A job that was held for a lost or damaged file has a successor once the file came again.
  @Test(arguments: [true, false])
  func aReplacedFileMakesAHeldSeriesDue(isHeld: Bool) throws {
    let fixture = try LedgerFixture()
    let job = try fixture.makeJob(instances: 0..<2)
    _ = try fixture.ledger.claimJob()
    if isHeld {
      try fixture.ledger.holdJob(job, reason: "a file is damaged")
    } else {
      try fixture.ledger.completeJob(job, result: .test(job), destinations: [])
    }
    var again = InstanceRecord.test(1)
    again.spoolPath = "spool/again.dcm"
    try fixture.ledger.replaceFile(with: again)
    fixture.clock.advance(60)
    #expect(
      try fixture.ledger.seriesDue(quietPeriod: 30).map(\.instanceCount) == (isHeld ? [2] : []))
    #expect(
      try fixture.ledger.instances(series: "1.2.3").current.map(\.spoolPath).contains(
        "spool/again.dcm"))
  }

  @Test func theSameInstanceInAnotherSeriesIsAConflict() throws {
    let fixture = try LedgerFixture()
    var moved = InstanceRecord.test(1)
    try fixture.receive(moved)
    moved.seriesInstanceUID = "1.2.4"
    moved.spoolPath = "spool/moved.dcm"
    #expect(try fixture.ledger.recordInstance(moved) == .conflicting)
    #expect(
      try fixture.ledger.instances(series: "1.2.4").all.map(\.spoolPath) == ["spool/moved.dcm"])
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
      #expect(try fixture.ledger.instances(series: record.seriesInstanceUID).all == [record])
    }
  }
}
