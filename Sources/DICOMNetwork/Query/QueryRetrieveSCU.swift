import CDCMTK
import DICOM
import Foundation

/// Asks a peer what it has and retrieves it (PS3.4 C): study root, or patient root where the peer has
/// no other.
///
/// ```swift
/// let scu = QueryRetrieveSCU(callingAETitle: "SEGMENTD")
/// for series in try await scu.series(ofStudy: study, at: pacs) {
///   print(series.seriesInstanceUID, series.instanceCount ?? 0)
/// }
/// ```
public struct QueryRetrieveSCU: Sendable {
  /// What is read of a peer's answers, and how long it may take.
  public struct Limits: Sendable {
    /// Seconds for the connection, the association and each message.
    public var timeout = 30
    /// Seconds that a retrieval may go on without an object or a smaller number of those that
    /// remain: an archive may have to fetch them from tape.
    public var maximumSilence = 300
    /// Seconds for a C-FIND with all its responses.
    public var maximumQueryDuration = 300
    public var maximumMatches = 100_000
    /// Bytes of one identifier.
    public var maximumIdentifierSize = 1 << 20

    public init() {}
  }

  /// So many UIDs fit into one element with explicit VR (PS3.5 7.1.2).
  public static let maximumListLength = 500

  private let callingAETitle: String
  private let limits: Limits

  public init(callingAETitle: String, limits: Limits = Limits()) {
    self.callingAETitle = callingAETitle
    self.limits = limits
  }

  /// C-FIND of the series of a study, or of the one that is named.
  ///
  /// - Throws: ``QueryRetrieveError``; a study that the peer does not know has no series.
  public func series(
    ofStudy study: String, only series: String? = nil, patientID: String = "", at peer: Peer
  ) async throws(QueryRetrieveError) -> [SeriesMatch] {
    let matches = try await find(
      .series,
      [
        (.patientID, patientID), (.studyInstanceUID, study), (.seriesInstanceUID, series ?? ""),
        (.modality, ""), (.numberOfSeriesRelatedInstances, ""),
      ], at: peer)
    var found: [SeriesMatch] = []
    for match in matches {
      let described = SeriesMatch(
        studyInstanceUID: study,
        seriesInstanceUID: try uid(.seriesInstanceUID, of: match, from: peer),
        modality: match.text(.modality) ?? "",
        instanceCount: match.integer(.numberOfSeriesRelatedInstances).flatMap { $0 < 0 ? nil : $0 })
      // A peer that ignores a key answers with more than was asked for.
      let isOfStudy = match.text(.studyInstanceUID).map { $0.isEmpty || $0 == study } ?? true
      guard isOfStudy, series.map({ $0 == described.seriesInstanceUID }) ?? true else { continue }
      found.append(described)
    }
    return found
  }

  /// C-FIND of the instances of a series.
  ///
  /// - Throws: ``QueryRetrieveError``
  public func instances(
    ofSeries series: String, study: String, patientID: String = "", at peer: Peer
  ) async throws(QueryRetrieveError) -> [InstanceMatch] {
    let matches = try await find(
      .image,
      [
        (.patientID, patientID), (.studyInstanceUID, study), (.seriesInstanceUID, series),
        (.sopInstanceUID, ""), (.sopClassUID, ""),
      ], at: peer)
    var found: [InstanceMatch] = []
    for match in matches {
      let isOfSeries = match.text(.seriesInstanceUID).map { $0.isEmpty || $0 == series } ?? true
      guard isOfSeries else { continue }
      let sopClass = match.text(.sopClassUID).flatMap { DICOMUID.isValid($0) ? $0 : nil }
      found.append(
        InstanceMatch(
          sopInstanceUID: try uid(.sopInstanceUID, of: match, from: peer), sopClassUID: sopClass))
    }
    return found
  }

  /// C-GET: the objects come over the association of the request.
  ///
  /// - Parameters:
  ///   - identifier: what to retrieve, at most ``maximumListLength`` instances by UID.
  ///   - peer: who has it.
  ///   - reception: what is accepted, and the folder for it.
  ///   - handlers: take the objects and hear how the association ended, as those of a listener do; its
  ///     calling AE title is that of the peer.
  ///   - progress: told of the sub-operations.
  /// - Throws: ``QueryRetrieveError``; objects that came before are stored.
  public func get(
    _ identifier: QueryIdentifier, from peer: Peer, into reception: RetrievalReception,
    handlers: DIMSEHandlers, progress: @escaping @Sendable (RetrievalProgress) -> Void = { _ in }
  ) async throws(QueryRetrieveError) -> RetrievalOutcome {
    try await retrieve(
      .get, identifier, peer, reception: reception,
      callbacks: QueryCallbacks(handlers, progress: progress))
  }

  /// C-MOVE: the peer sends the objects to an AE title that it knows.
  ///
  /// - Throws: ``QueryRetrieveError``
  public func move(
    _ identifier: QueryIdentifier, from peer: Peer, to destination: String,
    progress: @escaping @Sendable (RetrievalProgress) -> Void = { _ in }
  ) async throws(QueryRetrieveError) -> RetrievalOutcome {
    try await retrieve(
      .move, identifier, peer, destination: destination,
      callbacks: QueryCallbacks(progress: progress))
  }

  private func find(_ level: QueryIdentifier.Level, _ keys: [(Tag, String)], at peer: Peer)
    async throws(QueryRetrieveError) -> [Dataset]
  {
    let query = Query(
      service: .find, keys: [(.queryRetrieveLevel, level.rawValue)] + keys, destination: "",
      reception: nil, callbacks: QueryCallbacks(progress: { _ in }))
    let answer = try await ask(query, peer)
    guard answer.status == 0 else { throw refusal(answer, .find, peer) }
    var matches: [Dataset] = []
    for match in query.callbacks.received { matches.append(try parsed(match, from: peer)) }
    return matches
  }

  private func retrieve(
    _ service: QueryService, _ identifier: QueryIdentifier, _ peer: Peer,
    reception: RetrievalReception? = nil, destination: String = "", callbacks: QueryCallbacks
  ) async throws(QueryRetrieveError) -> RetrievalOutcome {
    let query = Query(
      service: service, keys: identifier.retrievalKeys, destination: destination,
      reception: reception, callbacks: callbacks)
    let answer = try await ask(query, peer)
    // Sub-operations complete, one or more failures or warnings.
    guard answer.status == 0 || answer.status == 0xB000 else {
      throw refusal(answer, service, peer)
    }
    let failed = callbacks.received.compactMap { try? parsed($0, from: peer) }
      .flatMap { $0.texts(.failedSOPInstanceUIDList) }
    func count(_ number: Int32) -> Int? { number < 0 ? nil : Int(number) }
    return RetrievalOutcome(
      status: answer.status, completed: count(answer.completed), failed: count(answer.failed),
      failedInstances: failed.filter(DICOMUID.isValid))
  }

  private func parsed(_ identifier: QueryCallbacks.Identifier, from peer: Peer)
    throws(QueryRetrieveError) -> Dataset
  {
    do {
      return try Dataset(
        message: identifier.bytes, transferSyntaxUID: identifier.transferSyntaxUID,
        name: "identifier")
    } catch {
      throw .malformed(peer: peer, reason: error.description)
    }
  }

  private func uid(_ tag: Tag, of match: Dataset, from peer: Peer) throws(QueryRetrieveError)
    -> String
  {
    let uid = match.text(tag) ?? ""
    guard DICOMUID.isValid(uid) else {
      throw .malformed(peer: peer, reason: "a match of C-FIND has no \(tag)")
    }
    return uid
  }

  private func refusal(_ answer: cdcmtk_query_answer, _ service: QueryService, _ peer: Peer)
    -> QueryRetrieveError
  {
    let texts = [oneLine(text(of: answer.meaning)), oneLine(text(of: answer.comment))]
    return .refused(
      peer: peer, service: service, status: answer.status,
      meaning: texts.filter { !$0.isEmpty }.joined(separator: ": "))
  }
}

extension QueryRetrieveSCU {
  /// One question, whose parts live until it is answered.
  private struct Query: Sendable {
    var service: QueryService
    var keys: [(Tag, String)]
    var destination: String
    var reception: RetrievalReception?
    var callbacks: QueryCallbacks
  }

  private func ask(_ query: Query, _ peer: Peer) async throws(QueryRetrieveError)
    -> cdcmtk_query_answer
  {
    let cancellation = Cancellation()
    let scu = self
    let result = await blockingCall(cancellation) {
      Result { () throws(QueryRetrieveError) in try scu.askNow(query, peer, cancellation) }
    }
    guard let result else { throw .cancelled }
    return try result.get()
  }

  private func askNow(_ query: Query, _ peer: Peer, _ cancellation: Cancellation)
    throws(QueryRetrieveError) -> cdcmtk_query_answer
  {
    do { try DCMTK.prepare() } catch { throw .toolkit(error) }
    var (answer, error) = (cdcmtk_query_answer(), cdcmtk_error())
    let code = withExtendedLifetime((query.callbacks, cancellation)) {
      peer.withC(callingAETitle: callingAETitle, timeout: limits.timeout) { address in
        withRequest(query) { request in
          request.cancellation = cancellation.pointer
          query.callbacks.set(&request)
          return cdcmtk_query(address, &request, &answer, &error)
        }
      }
    }
    guard code != CDCMTK_OK.rawValue else { return answer }
    let reason = oneLine(error.text)
    throw switch UInt32(answer.end) {
    case CDCMTK_QUERY_NOT_ASSOCIATED.rawValue:
      .noAssociation(peer: peer, callingAETitle: callingAETitle, reason: reason)
    case CDCMTK_QUERY_NOT_SUPPORTED.rawValue: .notSupported(peer: peer, service: query.service)
    case CDCMTK_QUERY_TOO_MUCH.rawValue:
      .tooMuch(peer: peer, service: query.service, reason: reason)
    case CDCMTK_QUERY_CANCELLED.rawValue: .cancelled
    default: .interrupted(peer: peer, service: query.service, reason: reason)
    }
  }

  private func withRequest(_ query: Query, _ body: (inout cdcmtk_query_request) -> Int32) -> Int32 {
    let reception = query.reception
    return withCStrings(query.keys.map(\.1) + [query.destination, reception?.folder ?? ""]) {
      texts in
      withCStrings(reception?.sopClasses ?? []) { classes in
        withCStrings(reception?.transferSyntaxes ?? []) { syntaxes in
          let keys = query.keys.indices.map {
            cdcmtk_query_key(tag: query.keys[$0].0.rawValue, value: texts[$0])
          }
          return keys.withUnsafeBufferPointer { keys in
            var request = cdcmtk_query_request()
            request.service = query.service.rawValue
            request.keys = keys.baseAddress
            request.key_count = keys.count
            request.destination = texts[keys.count]
            request.folder = texts[keys.count + 1]
            request.sop_classes = classes.baseAddress
            request.sop_class_count = classes.count
            request.transfer_syntaxes = syntaxes.baseAddress
            request.transfer_syntax_count = syntaxes.count
            set(limits, query, &request)
            return body(&request)
          }
        }
      }
    }
  }

  private func set(_ limits: Limits, _ query: Query, _ request: inout cdcmtk_query_request) {
    let isFind = query.service == .find
    if let reception = query.reception { request.limits = reception.limits.limits }
    request.maximum_count = query.reception?.maximumCount ?? limits.maximumMatches
    request.maximum_identifier_size = limits.maximumIdentifierSize
    request.maximum_silence = UInt32(clamping: isFind ? limits.timeout : limits.maximumSilence)
    request.maximum_duration = isFind ? UInt32(clamping: limits.maximumQueryDuration) : 0
  }
}
