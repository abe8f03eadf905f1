import Foundation

@testable import JobLedger

extension LedgerFixture {
  /// An association that begins now.
  func association(_ key: String = UUID().uuidString, calling: String = "MODALITY")
    -> ReceivingAssociation
  {
    ReceivingAssociation(
      key: key, callingAETitle: calling, calledAETitle: "SEGMENTD", peerAddress: "10.0.0.5",
      startedAt: clock.steady)
  }

  func receive(_ numbers: ClosedRange<Int>, over association: ReceivingAssociation) throws {
    for number in numbers {
      clock.advance(1)
      _ = try ledger.recordInstance(.test(number), association: association)
    }
  }

  /// What is due after a long quiet time.
  func due() throws -> [SeriesDue] {
    clock.advance(60)
    return try ledger.seriesDue(quietPeriod: 30)
  }

  /// Assembles a series as the assembler does.
  func assemble(_ series: SeriesDue) throws {
    let reasons = try ledger.incompleteness(series: series.seriesInstanceUID).reasons
    try ledger.assembleSeries(
      series,
      jobs: [
        .test(start: reasons.isEmpty ? .available : .held(reason: reasons.joined(separator: "; ")))
      ], isHeldAsIncomplete: !reasons.isEmpty)
  }

  /// Assembles what is due and tells the states of all jobs.
  func assembleDue() throws -> [String] {
    for series in try due() { try assemble(series) }
    return try ledger.jobs().map(\.state)
  }
}

extension RefusedInstance {
  static func test(
    _ number: Int?, series: String? = "1.2.3", study: String? = "1.2", status: UInt16? = 0xC000,
    source: InstanceSource = .listener, file: String? = nil
  ) -> RefusedInstance {
    var refused = RefusedInstance(reason: "ends within (7FE0,0010) Pixel Data", source: source)
    refused.sopInstanceUID = number.map { "1.2.3.\($0)" }
    refused.sopClassUID = "1.2.840.10008.5.1.4.1.1.2"
    refused.seriesInstanceUID = series
    refused.studyInstanceUID = study
    refused.modality = "CT"
    refused.status = status
    refused.file = file
    return refused
  }
}
