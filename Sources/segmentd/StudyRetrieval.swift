import DICOMNetwork
import Foundation
import Ingest
import JobLedger
import Pipeline

/// What a retrieval brought of one series.
struct RetrievedSeries: Encodable {
  var seriesInstanceUID: String
  var modality: String
  /// Images that the source lists; nil where it could not be asked about the series.
  var listed: Int?
  /// Images that are here now, and of these the ones that came just now.
  var instances: Int
  var retrieved: Int
  /// Why not everything is here.
  var problem: String?
}

/// Brings a study from the query source into spool and ledger, for the commands.
///
/// A daemon that uses the same state directory sees it there. For C-MOVE without a daemon, the listener
/// runs as long as the retrieval does.
struct StudyRetrieval {
  let parts: ConfiguredParts
  let source: any QuerySource
  /// Whether this process holds the lock of the state directory: then no daemon is running.
  let isAlone: Bool

  func run(study: String, series: String?) async throws -> [RetrievedSeries] {
    let dimse = parts.configuration.querySource?.dimse
    let listener =
      isAlone && dimse?.retrieve == .move && !parts.configuration.listeners.isEmpty
      ? try parts.listener() : nil
    do {
      let found = try await retrieve(study, series)
      await listener?.stop()
      return found
    } catch {
      await listener?.stop()
      throw error
    }
  }

  private func retrieve(_ study: String, _ series: String?) async throws -> [RetrievedSeries] {
    let listed = try await source.series(ofStudy: study, only: series, patientID: "")
    guard !listed.isEmpty else {
      throw RetrievalError.unknown(source: source.description, study: study, series: series)
    }
    let completion = SeriesCompletion(source: source, state: parts.state, ledger: parts.ledger)
    let line = RetrievalProgressLine()
    var retrieved: [RetrievedSeries] = []
    for (index, match) in listed.enumerated() {
      let uid = match.seriesInstanceUID
      let before = try instanceCount(uid)
      let finding = try await completion.complete(study: study, series: uid) { progress in
        line.show(progress, series: index + 1, of: listed.count)
      }
      let after = try instanceCount(uid)
      var row = RetrievedSeries(
        seriesInstanceUID: uid, modality: match.modality, instances: after,
        retrieved: after - before)
      switch finding {
      case .complete(let count): row.listed = count
      case .missing(let count, let reason): (row.listed, row.problem) = (count, reason)
      case .unreachable(let reason): row.problem = reason
      }
      retrieved.append(row)
    }
    return retrieved
  }

  private func instanceCount(_ series: String) throws -> Int {
    let recorded = try parts.ledger.instances(series: series).current
    return recorded.count - (SpoolCheck(state: parts.state).missing(recorded)?.damagedCount ?? 0)
  }
}

enum RetrievalError: Error, CustomStringConvertible {
  case noSource(file: String)
  case unknown(source: String, study: String, series: String?)

  var description: String {
    switch self {
    case .noSource(let file):
      "\(file): no querySource is set, from which a study could be retrieved"
    case .unknown(let source, let study, let series):
      "\(source) has no \(series.map { "series \($0) of " } ?? "")study \(study)"
    }
  }
}
