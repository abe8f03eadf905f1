import Clocks
import DICOM
import DICOMNetwork
import DICOMweb
import Foundation
import Ingest
import Synchronization

/// An archive that is asked by QIDO-RS and gives by WADO-RS (PS3.18 10).
public struct DICOMwebQuerySource: QuerySource {
  private let url: URL
  private let client: DICOMwebClient
  private let intake: Intake
  /// Objects that are on their way at the same time.
  private static let width = 4

  public var description: String { url.absoluteString }

  /// - Parameters:
  ///   - url: of the service.
  ///   - authorization: sent with each request.
  ///   - security: TLS; nil for what the system trusts.
  ///   - intake: takes the objects.
  public init(
    url: URL, authorization: DICOMwebClient.Authorization,
    security: DICOMwebClient.Security? = nil, intake: Intake
  ) {
    self.url = url
    self.intake = intake
    client = DICOMwebClient(url: url, authorization: authorization, security: security)
  }

  public func series(ofStudy study: String, only series: String?, patientID: String)
    async throws(QuerySourceError) -> [SeriesMatch]
  {
    do {
      return try await client.series(ofStudy: study, only: series).map {
        SeriesMatch(
          studyInstanceUID: study, seriesInstanceUID: $0.seriesInstanceUID,
          modality: $0.modality, instanceCount: $0.instanceCount)
      }
    } catch {
      throw QuerySourceError(error)
    }
  }

  public func instances(ofSeries series: String, study: String, patientID: String)
    async throws(QuerySourceError) -> [InstanceMatch]
  {
    do {
      return try await client.instances(ofSeries: series, study: study).map {
        InstanceMatch(sopInstanceUID: $0.sopInstanceUID, sopClassUID: $0.sopClassUID)
      }
    } catch {
      throw QuerySourceError(error)
    }
  }

  /// Objects are taken one by one, as over an association whose end says whether all came.
  public func retrieve(
    _ identifier: QueryIdentifier, progress: @escaping @Sendable (RetrievalProgress) -> Void
  ) async throws(QuerySourceError) -> RetrievalOutcome {
    guard let series = identifier.seriesInstanceUID else {
      throw QuerySourceError(kind: .refused, description: "\(self): a retrieval names its series")
    }
    let study = identifier.studyInstanceUID
    var wanted = identifier.sopInstanceUIDs
    if wanted.isEmpty {
      wanted = try await instances(ofSeries: series, study: study, patientID: "")
        .filter { $0.sopClassUID.map(ImageStorage.sopClasses.contains) ?? true }
        .map(\.sopInstanceUID)
    }
    let association = Association.withoutDIMSE(
      calling: url.host ?? "DICOMweb", called: "DICOMweb")
    let tally = RetrievalTally(total: wanted.count)
    await withTaskGroup(of: Void.self) { group in
      for (index, uid) in wanted.enumerated() {
        if index >= Self.width { await group.next() }
        if Task.isCancelled || tally.error != nil { break }
        group.addTask {
          progress(tally.count(await take(uid, series, study, over: association), of: uid))
        }
      }
    }
    let error =
      Task.isCancelled
      ? QuerySourceError(kind: .cancelled, description: "the request was cancelled") : tally.error
    intake.retrievalEnded(
      association, isComplete: error == nil, message: error?.description ?? "")
    if let error { throw error }
    return tally.outcome
  }

  private func take(
    _ uid: String, _ series: String, _ study: String, over association: Association
  ) async -> Result<Void, QuerySourceError> {
    let file = intake.newIncomingFile()
    let began = SteadyTime.now
    do throws(DICOMwebError) {
      try await client.retrieve(instance: uid, ofSeries: series, study: study, to: file)
    } catch {
      return .failure(QuerySourceError(error))
    }
    let status = intake.take(retrieved: file, asked: uid, over: association, beganAt: began)
    guard status == .success else {
      return .failure(
        QuerySourceError(kind: .refused, description: "instance \(uid) was not taken"))
    }
    return .success(())
  }
}

extension QuerySourceError {
  fileprivate init(_ error: DICOMwebError) {
    self.init(
      kind: error == .cancelled ? .cancelled : error.isPassing ? .unreachable : .refused,
      description: error.description)
  }
}

/// What became of the objects of one retrieval.
private final class RetrievalTally: Sendable {
  private struct State {
    var completed = 0
    var failed: [String] = []
    var error: QuerySourceError?
  }

  private let total: Int
  private let state = Mutex(State())

  init(total: Int) { self.total = total }

  /// Why the others need not be tried.
  var error: QuerySourceError? { state.withLock { $0.error } }

  var outcome: RetrievalOutcome {
    state.withLock { state in
      RetrievalOutcome(
        status: state.failed.isEmpty ? 0 : 0xB000, completed: state.completed,
        failed: state.failed.count, failedInstances: state.failed)
    }
  }

  func count(_ result: Result<Void, QuerySourceError>, of uid: String) -> RetrievalProgress {
    state.withLock { state in
      switch result {
      case .success: state.completed += 1
      case .failure(let error):
        state.failed.append(uid)
        // One object that is refused says nothing of the others.
        if error.kind != .refused { state.error = state.error ?? error }
      }
      return RetrievalProgress(
        completed: state.completed, remaining: total - state.completed - state.failed.count)
    }
  }
}
