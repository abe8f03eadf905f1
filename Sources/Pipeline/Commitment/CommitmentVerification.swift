import DICOMNetwork
import Ingest
import JobLedger

/// Compares what a peer asks about with ledger and spool.
struct CommitmentVerification {
  let ledger: Ledger
  let spool: SpoolCheck
  /// Files that are hashed in one go.
  private static let batch = 256

  /// Failure Reason (0008,1197) of each reference, nil for what is here with an equal hash.
  ///
  /// - Throws: `LedgerError`
  func failureReasons(_ references: [CommitmentRecord.Reference]) async throws -> [Int?] {
    var reasons: [Int?] = []
    var known: [String: [String: InstanceRecord]] = [:]
    for start in stride(from: 0, to: references.count, by: Self.batch) {
      let part = references[start..<min(start + Self.batch, references.count)]
      let records = try part.map { try record($0.sopInstanceUID, &known) }
      let intact = await spool.areIntact(records.compactMap(\.self))
      var next = intact.makeIterator()
      for (reference, record) in zip(part, records) {
        reasons.append(
          failure(reference, record, isIntact: record == nil ? nil : next.next() ?? nil)
            .map { Int($0.rawValue) })
      }
    }
    return reasons
  }

  private func failure(
    _ reference: CommitmentRecord.Reference, _ record: InstanceRecord?, isIntact: Bool?
  ) -> CommitmentFailure? {
    guard let record else { return .noSuchObjectInstance }
    guard record.sopClassUID == reference.sopClassUID else { return .classInstanceConflict }
    return switch isIntact {
    case true?: nil
    case false?: .noSuchObjectInstance
    case nil: .processingFailure
    }
  }

  /// The version of an instance that was received last.
  private func record(
    _ uid: String, _ known: inout [String: [String: InstanceRecord]]
  ) throws -> InstanceRecord? {
    for series in try ledger.series(ofInstance: uid) {
      if known[series] == nil {
        // Objects of one request belong together, so that few series are read.
        let current = try ledger.instances(series: series).current
        known[series] = Dictionary(
          current.map { ($0.sopInstanceUID, $0) }, uniquingKeysWith: { _, last in last })
      }
      if let record = known[series]?[uid] { return record }
    }
    return nil
  }
}
