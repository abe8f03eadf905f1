import Testing

@testable import JobLedger

/// Refused instances: never forgotten, until they arrive completely.
@Suite struct RefusalTests {
  @Test func aSeriesIsHeldUntilTheRefusedInstanceArrives() throws {
    let fixture = try LedgerFixture()
    let association = fixture.association()
    try fixture.receive(1...3, over: association)
    try fixture.ledger.recordRefusal(.test(4), association: association)
    try fixture.ledger.endAssociation(association, .released)
    #expect(try fixture.assembleDue() == ["held"])
    let job = try #require(try fixture.ledger.jobs().first)
    #expect(
      job.reason
        == "instance 1.2.3.4 refused with 0xC000: ends within (7FE0,0010) Pixel Data, from MODALITY "
        + "at 10.0.0.5")
    #expect(job.refusedInstances.map(\.instance) == [.test(4)])
    // Nothing new: nothing happens.
    #expect(try fixture.assembleDue() == ["held"])

    let again = fixture.association()
    try fixture.receive(4...4, over: again)
    try fixture.ledger.endAssociation(again, .released)
    #expect(try fixture.assembleDue() == ["held", "available"])
    #expect(try fixture.ledger.jobs().map(\.refusedInstances.count) == [0, 0])
    let detail = try fixture.ledger.job(1)
    #expect(detail.refusals.map(\.resolution) == [.received])
    #expect(detail.refusals.first?.resolvedAt != nil)
    #expect(detail.associations.map(\.stored) == [3, 1])
    #expect(detail.associations.map(\.refused) == [1, 0])
    #expect(detail.associations.map(\.outcome) == [.released, .released])
  }

  @Test func anInstanceThatIsThereWholeIsNotMissing() throws {
    let fixture = try LedgerFixture()
    let association = fixture.association()
    try fixture.receive(1...3, over: association)
    try fixture.ledger.recordRefusal(.test(2), association: association)
    try fixture.ledger.endAssociation(association, .released)
    #expect(try fixture.ledger.incompleteness(series: "1.2.3").isEmpty)
    #expect(try fixture.assembleDue() == ["available"])
    #expect(try fixture.ledger.job(1).refusals.map(\.resolution) == [.received])
  }

  @Test func theSameRefusalAgainIsCounted() throws {
    let fixture = try LedgerFixture()
    try fixture.receive(.test(1))
    for _ in 0..<3 { try fixture.ledger.recordRefusal(.test(2)) }
    #expect(try fixture.assembleDue() == ["held"])
    for _ in 0..<3 { try fixture.ledger.recordRefusal(.test(2)) }
    #expect(try fixture.assembleDue() == ["held"])
    #expect(try fixture.ledger.refusals().map(\.count) == [6])
  }

  @Test func aSeriesOfRefusedInstancesAloneIsDueToo() throws {
    let fixture = try LedgerFixture()
    try fixture.ledger.recordRefusal(.test(1))
    let due = try #require(try fixture.due().first)
    #expect(due.instanceCount == 0 && due.modality == "CT")
    try fixture.assemble(due)
    try fixture.receive(.test(1))
    #expect(try fixture.assembleDue() == ["held", "available"])
  }

  @Test func aRefusalAfterTheAssemblyHoldsTheSeriesAnew() throws {
    let fixture = try LedgerFixture()
    try fixture.receive(.test(1))
    #expect(try fixture.assembleDue() == ["available"])
    try fixture.ledger.recordRefusal(.test(2))
    #expect(try fixture.assembleDue() == ["cancelled", "held"])
  }

  /// Within the quiet period nothing has been assembled anew, and the job must not run either.
  @Test func aJobWaitsWhereItsSeriesHasChangedSince() throws {
    let fixture = try LedgerFixture()
    try fixture.receive(.test(1))
    #expect(try fixture.assembleDue() == ["available"])
    try fixture.ledger.recordRefusal(.test(2))
    #expect(try fixture.ledger.claimJob() == nil)
    #expect(try fixture.assembleDue() == ["cancelled", "held"])
    #expect(try fixture.ledger.claimJob() == nil)
    try fixture.receive(.test(2))
    #expect(try fixture.assembleDue() == ["cancelled", "held", "available"])
    #expect(try fixture.ledger.claimJob()?.id == 3)
  }

  /// Its dataset does not say where it belongs: the association does.
  @Test func anInstanceWithoutSeriesIsMissingFromThoseOfItsAssociation() throws {
    let fixture = try LedgerFixture()
    let (other, association) = (fixture.association(), fixture.association())
    _ = try fixture.ledger.recordInstance(.test(1, series: "1.9", study: "1"), association: other)
    try fixture.ledger.recordRefusal(.test(7, series: nil, study: nil), association: association)
    try fixture.receive(1...2, over: association)
    for association in [other, association] {
      try fixture.ledger.endAssociation(association, .released)
    }
    #expect(try fixture.ledger.incompleteness(series: "1.9").isEmpty)
    #expect(try fixture.ledger.incompleteness(series: "1.2.3").refused.count == 1)
    #expect(try fixture.ledger.refusals(withoutSeries: true).isEmpty)
    for series in try fixture.due() { try fixture.assemble(series) }
    #expect(try fixture.ledger.jobs().map(\.state).sorted() == ["available", "held"])
    // It arrives, in another series even: nothing is missing any more.
    _ = try fixture.ledger.recordInstance(.test(7, series: "1.2.3"))
    #expect(try fixture.ledger.incompleteness(series: "1.2.3").isEmpty)
    #expect(try fixture.due().map(\.seriesInstanceUID) == ["1.2.3"])
  }

  @Test func anInstanceOfAnotherSOPClassIsNotMissing() throws {
    let fixture = try LedgerFixture()
    let association = fixture.association()
    var refused = RefusedInstance.test(7, series: nil, study: nil)
    refused.sopClassUID = "1.2.840.10008.5.1.4.1.1.4"
    try fixture.receive(1...2, over: association)
    try fixture.ledger.recordRefusal(refused, association: association)
    #expect(try fixture.ledger.incompleteness(series: "1.2.3").isEmpty)
    #expect(try fixture.ledger.refusals(withoutSeries: true).count == 1)
  }

  /// A file of a watch folder of which nothing can be read, and which is written again.
  @Test func aFileIsResolvedByItsPath() throws {
    let fixture = try LedgerFixture()
    var refused = RefusedInstance.test(
      nil, series: nil, study: nil, status: nil, source: .watch, file: "/watch/5.dcm")
    refused.sopClassUID = nil
    try fixture.ledger.recordRefusal(refused)
    try fixture.ledger.recordRefusal(refused)
    #expect(try fixture.ledger.refusals(withoutSeries: true).map(\.count) == [2])
    _ = try fixture.ledger.recordInstance(.test(5), file: "/watch/5.dcm")
    #expect(try fixture.ledger.refusals().isEmpty)
  }

  /// An export writes its next series under the same names.
  @Test func aFileOfAnotherInstanceResolvesNothing() throws {
    let fixture = try LedgerFixture()
    let file = "/watch/IM5"
    var unnamed = RefusedInstance.test(nil, status: nil, source: .watch, file: file)
    unnamed.sopClassUID = nil
    for refused in [.test(5, status: nil, source: .watch, file: file), unnamed] {
      try fixture.ledger.recordRefusal(refused)
    }
    _ = try fixture.ledger.recordInstance(.test(50, series: "1.2.4"), file: file)
    #expect(try fixture.ledger.incompleteness(series: "1.2.3").refused.count == 2)
    // Which instance the one without a name was, the series tells.
    _ = try fixture.ledger.recordInstance(.test(6), file: file)
    #expect(
      try fixture.ledger.incompleteness(series: "1.2.3").refused.map(\.instance.sopInstanceUID)
        == ["1.2.3.5"])
    _ = try fixture.ledger.recordInstance(.test(5), file: file)
    #expect(try fixture.ledger.incompleteness(series: "1.2.3").isEmpty)
  }

  /// After a restart a watch folder is read again, with the damaged file next to the whole one.
  @Test func aResolvedFileThatIsReadAgainChangesNothing() throws {
    let fixture = try LedgerFixture()
    let refused = RefusedInstance.test(1, status: nil, source: .watch, file: "/watch/cut.dcm")
    try fixture.ledger.recordRefusal(refused)
    try fixture.receive(.test(1))
    #expect(try fixture.assembleDue() == ["available"])
    try fixture.ledger.recordRefusal(refused)
    #expect(try fixture.assembleDue() == ["available"])
    #expect(try fixture.ledger.refusals().isEmpty)
  }

  @Test func manyRefusalsAreCountedAndFewNamed() throws {
    let fixture = try LedgerFixture()
    for number in 1...12 { try fixture.ledger.recordRefusal(.test(number)) }
    let reasons = try fixture.ledger.incompleteness(series: "1.2.3").reasons
    #expect(reasons.count == 6 && reasons.last == "7 more instances were refused")
  }
}
