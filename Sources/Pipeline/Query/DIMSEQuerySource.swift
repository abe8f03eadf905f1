import DICOM
import DICOMNetwork
import Ingest

/// An archive that is asked by C-FIND and gives by C-GET or C-MOVE (PS3.4 C).
public struct DIMSEQuerySource: QuerySource {
  /// How instances come.
  public enum Retrieval: Sendable {
    case get(RetrievalReception, Intake)
    /// To the AE title of a listener of ours that is running.
    case move(destination: String)
  }

  private let peer: Peer
  private let scu: QueryRetrieveSCU
  private let retrieval: Retrieval

  public var description: String { "\(peer)" }

  /// - Parameters:
  ///   - peer: the archive.
  ///   - callingAETitle: by which we call.
  ///   - retrieval: how instances come.
  public init(peer: Peer, callingAETitle: String, retrieval: Retrieval) {
    self.peer = peer
    self.retrieval = retrieval
    scu = QueryRetrieveSCU(callingAETitle: callingAETitle)
  }

  public func series(ofStudy study: String, only series: String?, patientID: String)
    async throws(QuerySourceError) -> [SeriesMatch]
  {
    do {
      return try await scu.series(ofStudy: study, only: series, patientID: patientID, at: peer)
    } catch {
      throw QuerySourceError(error)
    }
  }

  public func instances(ofSeries series: String, study: String, patientID: String)
    async throws(QuerySourceError) -> [InstanceMatch]
  {
    do {
      return try await scu.instances(
        ofSeries: series, study: study, patientID: patientID, at: peer)
    } catch {
      throw QuerySourceError(error)
    }
  }

  public func retrieve(
    _ identifier: QueryIdentifier, progress: @escaping @Sendable (RetrievalProgress) -> Void
  ) async throws(QuerySourceError) -> RetrievalOutcome {
    do {
      switch retrieval {
      case .get(let reception, let intake):
        return try await scu.get(
          identifier, from: peer, into: reception, handlers: intake.retrievalHandlers,
          progress: progress)
      case .move(let destination):
        return try await scu.move(identifier, from: peer, to: destination, progress: progress)
      }
    } catch {
      throw QuerySourceError(error)
    }
  }
}
