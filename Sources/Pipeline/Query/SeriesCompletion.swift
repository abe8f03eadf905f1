import DICOM
import DICOMNetwork
import Foundation
import Ingest
import JobLedger
import Wording

/// Asks a query source what a series has, and brings what is missing here.
public struct SeriesCompletion: Sendable {
  private let source: any QuerySource
  private let state: StateDirectory
  private let ledger: Ledger

  /// - Parameters:
  ///   - source: who is asked.
  ///   - state: the state directory, for the files of the spool.
  ///   - ledger: the ledger.
  public init(source: any QuerySource, state: StateDirectory, ledger: Ledger) {
    self.source = source
    self.state = state
    self.ledger = ledger
  }

  /// Compares a series with the source by its number of instances (0020,1209), and by their UIDs where
  /// that says less, and retrieves what is missing. An instance whose file is gone is missing too.
  ///
  /// - Parameters:
  ///   - study: Study Instance UID.
  ///   - series: Series Instance UID, also one of which nothing is here.
  ///   - progress: told of the objects that are on their way.
  /// - Returns: what the source says, after the retrieval.
  /// - Throws: `LedgerError`; `CancellationError` where the task is cancelled.
  public func complete(
    study: String, series: String,
    progress: @escaping @Sendable (RetrievalProgress) -> Void = { _ in }
  ) async throws -> CompletenessFinding {
    do throws(QuerySourceError) {
      let patient = patientID(of: series)
      let found = try await source.series(ofStudy: study, only: series, patientID: patient)
      guard let described = found.first else { return .complete(listed: 0) }
      let here = try instances(of: series)
      // Fewer there are no fault of ours: it may be receiving them too.
      if let count = described.instanceCount, count <= here.count {
        return .complete(listed: count)
      }
      let listed = try await listed(study, series, patient)
      let wanted = listed.filter { !here.contains($0) }
      guard !wanted.isEmpty else { return .complete(listed: listed.count) }
      let reason = try await retrieve(
        wanted, isAll: wanted.count == listed.count, study, series, patient, progress)
      let missing = try instances(of: series, among: wanted)
      guard !missing.isEmpty else { return .complete(listed: listed.count) }
      return .missing(
        listed: listed.count,
        reason: text(missing, of: listed.count) + (reason.map { ": \($0)" } ?? ""))
    } catch {
      switch error.kind {
      case .cancelled: throw CancellationError()
      case .unreachable, .refused: return .unreachable(reason: error.description)
      }
    }
  }

  /// The instances that the source lists, less those that are no images: those are never taken.
  private func listed(_ study: String, _ series: String, _ patient: String)
    async throws(QuerySourceError) -> [String]
  {
    let found = try await source.instances(ofSeries: series, study: study, patientID: patient)
      .filter { $0.sopClassUID.map(ImageStorage.sopClasses.contains) ?? true }
    return Set(found.map(\.sopInstanceUID)).sorted()
  }

  /// - Returns: why not all came, where the source says so.
  private func retrieve(
    _ wanted: [String], isAll: Bool, _ study: String, _ series: String, _ patient: String,
    _ progress: @escaping @Sendable (RetrievalProgress) -> Void
  ) async throws(QuerySourceError) -> String? {
    var requests: [QueryIdentifier] = []
    for start in stride(from: 0, to: wanted.count, by: QueryRetrieveSCU.maximumListLength) {
      let end = min(start + QueryRetrieveSCU.maximumListLength, wanted.count)
      requests.append(
        QueryIdentifier(
          studyInstanceUID: study, seriesInstanceUID: series,
          sopInstanceUIDs: isAll ? [] : Array(wanted[start..<end]), patientID: patient))
      if isAll { break }
    }
    var reason: String?
    for request in requests {
      do {
        let outcome = try await source.retrieve(request, progress: progress)
        if let failed = outcome.failed, failed > 0 {
          reason = "\(source) could not send \(failed)"
        }
      } catch {
        guard error.kind != .cancelled else { throw error }
        reason = error.description
      }
    }
    return reason
  }

  /// The instances whose files are here.
  private func instances(of series: String) throws(QuerySourceError) -> Set<String> {
    do {
      let recorded = try ledger.instances(series: series).current
      return Set(
        recorded.filter { !$0.isPurged && access(state.file($0.spoolPath).path, F_OK) == 0 }
          .map(\.sopInstanceUID))
    } catch {
      throw QuerySourceError(kind: .refused, description: error.description)
    }
  }

  private func instances(of series: String, among wanted: [String]) throws(QuerySourceError)
    -> [String]
  {
    let here = try instances(of: series)
    return wanted.filter { !here.contains($0) }
  }

  private func text(_ missing: [String], of count: Int) -> String {
    let named = missing.prefix(3).joined(separator: ", ")
    let more = missing.count > 3 ? " and \(missing.count - 3) more" : ""
    return
      "\(source) lists \(counted(count, "instance")) of the series, of which "
      + "\(counted(missing.count, "is", "are")) not here "
      + "(\(named)\(more))"
  }

  /// The unique key above the study, of an image that is here; it is sent to the source alone.
  private func patientID(of series: String) -> String {
    guard let first = try? ledger.instances(series: series).current.first,
      let file = try? DICOMFile(path: state.file(first.spoolPath).path)
    else { return "" }
    return file.dataset.text(.patientID) ?? ""
  }
}
