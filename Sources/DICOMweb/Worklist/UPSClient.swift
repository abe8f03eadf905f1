import AsyncHTTPClient
import DICOM
import Foundation
import NIOCore

/// What a worklist server said to a change.
public enum WorkitemAnswer: Sendable, Equatable {
  case done
  /// By the status of HTTP: another performer has it, it is in another state, or it is gone.
  case refused(status: Int)
}

/// UPS-RS as a performer uses it (PS3.18 11).
extension DICOMwebClient {
  /// Workitems that are scheduled (PS3.18 11.9), for a station or for all.
  ///
  /// - Parameters:
  ///   - station: Code Value of Scheduled Station Name Code Sequence (0040,4025); nil for all.
  ///   - refusingUnknown: whether an answer of 404 is thrown: it may say that no workitem matches, or that nothing
  ///     answers UPS-RS there.
  /// - Throws: ``DICOMwebError``
  public func scheduledWorkitems(
    station: String?, refusingUnknown: Bool = false
  ) async throws(DICOMwebError) -> [Workitem] {
    var query = [
      ("ProcedureStepState", Workitem.State.scheduled.rawValue), ("includefield", "00404021"),
      ("includefield", "00404025"),
    ]
    if let station { query.append(("00404025.00080100", station)) }
    let found = try await list("workitems", query, refusingUnknown: refusingUnknown)
      .compactMap { Workitem($0) }
    // Not every server matches in sequences.
    return found.filter { item in
      (item.state ?? .scheduled) == .scheduled
        && station.map { item.stations.isEmpty || item.stations.contains($0) } ?? true
    }
  }

  /// A workitem as it is now (PS3.18 11.5); nil where the server has none of this UID.
  ///
  /// - Throws: ``DICOMwebError``
  public func workitem(_ uid: String) async throws(DICOMwebError) -> Workitem? {
    let (status, body) = try await send(.get, "workitems/\(uid)", [], nil)
    switch status {
    case 200: break
    case 404, 410: return nil
    default: throw .refused(url: "workitems/\(uid)", status: status)
    }
    let decoder = JSONDecoder()
    guard
      let dataset = (try? decoder.decode([JSONDataset].self, from: body))?.first
        ?? (try? decoder.decode(JSONDataset.self, from: body)),
      let item = Workitem(dataset, uid: uid)
    else { throw .malformed(url: "workitems/\(uid)", reason: "it is no workitem in DICOM JSON") }
    return item
  }

  /// Changes the state (PS3.18 11.7): IN PROGRESS claims the workitem by the transaction UID, which every later
  /// change has to name.
  ///
  /// - Throws: ``DICOMwebError`` where there was no answer, or the server is at fault.
  public func changeState(of uid: String, to state: Workitem.State, transaction: String)
    async throws(DICOMwebError) -> WorkitemAnswer
  {
    try await change(
      .put, "workitems/\(uid)/state", [],
      [
        .transactionUID: .values("UI", [transaction]),
        .procedureStepState: .values("CS", [state.rawValue]),
      ])
  }

  /// Says how much is done (PS3.18 11.6).
  ///
  /// - Throws: ``DICOMwebError``, as ``changeState(of:to:transaction:)``.
  public func update(_ uid: String, percent: Int, transaction: String)
    async throws(DICOMwebError) -> WorkitemAnswer
  {
    try await update(
      uid, transaction,
      [
        .procedureStepProgressInformationSequence: .items([
          [.procedureStepProgress: .values("DS", ["\(percent)"])]
        ])
      ])
  }

  /// Says what was made, before the last change of the state.
  ///
  /// - Throws: ``DICOMwebError``, as ``changeState(of:to:transaction:)``.
  public func update(_ uid: String, end: WorkitemEnd, transaction: String)
    async throws(DICOMwebError) -> WorkitemAnswer
  {
    try await update(uid, transaction, end.attributes)
  }

  private func update(_ uid: String, _ transaction: String, _ attributes: JSONAttributes)
    async throws(DICOMwebError) -> WorkitemAnswer
  {
    try await change(
      .post, "workitems/\(uid)", [("transaction-uid", transaction)], attributes)
  }

  private enum Method { case get, put, post }

  private func change(
    _ method: Method, _ path: String, _ query: [(String, String)], _ attributes: JSONAttributes
  ) async throws(DICOMwebError) -> WorkitemAnswer {
    let (status, _) = try await send(method, path, query, attributes)
    switch status {
    case 200...299: return .done
    case 408, 429, 500...: throw .refused(url: path, status: status)
    // As a wrong password, which is not about the workitem.
    case 401, 403, 405, 415: throw .refused(url: path, status: status)
    default: return .refused(status: status)
    }
  }

  private func send(
    _ method: Method, _ path: String, _ query: [(String, String)], _ attributes: JSONAttributes?
  ) async throws(DICOMwebError) -> (status: Int, body: Data) {
    var request = try request(path, query)
    switch method {
    case .get: request.method = .GET
    case .put: request.method = .PUT
    case .post: request.method = .POST
    }
    request.headers.replaceOrAdd(name: "Accept", value: "application/dicom+json")
    if let attributes {
      request.headers.replaceOrAdd(name: "Content-Type", value: "application/dicom+json")
      request.body = .bytes(ByteBuffer(string: "[\(attributes.json)]"))
    }
    let (head, body) = try await connections.answer(
      to: request, duration: limits.duration, maximum: limits.listBytes)
    return (head.status, body)
  }
}

extension WorkitemEnd {
  /// What the final state demands (PS3.3 table CC.2.5-3).
  fileprivate var attributes: JSONAttributes {
    var progress: JSONAttributes = [
      .procedureStepProgress: .values("DS", [discontinued == nil ? "100" : "0"])
    ]
    if let discontinued {
      progress[.reasonForCancellation] = .values("LT", [String(discontinued.prefix(1024))])
      progress[.procedureStepDiscontinuationReasonCodeSequence] = .items([
        // PS3.16 CID 9300.
        .code("110513", "DCM", "Discontinued for unspecified reason")
      ])
    }
    let performed: JSONAttributes = [
      .performedStationNameCodeSequence: .items([.code(station, "99SEGMENTD", station)]),
      .performedProcedureStepStartDateTime: .values("DT", [Self.text(start)]),
      .performedProcedureStepEndDateTime: .values("DT", [Self.text(end)]),
      .performedWorkitemCodeSequence: .items([.code("110001", "DCM", "Image Processing")]),
      .outputInformationSequence: .items(outputs.grouped),
    ]
    return [
      .procedureStepProgressInformationSequence: .items([progress]),
      .unifiedProcedureStepPerformedProcedureSequence: .items([performed]),
    ]
  }

  /// In UTC (PS3.5 6.2, DT).
  private static func text(_ date: Date) -> String {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = TimeZone(identifier: "GMT")
    format.dateFormat = "yyyyMMddHHmmss"
    return format.string(from: date) + "+0000"
  }
}

extension [WorkitemOutput] {
  /// An item for each series (PS3.3 table 10-3b).
  fileprivate var grouped: [JSONAttributes] {
    var series: [String] = []
    for output in self where !series.contains(output.seriesInstanceUID) {
      series.append(output.seriesInstanceUID)
    }
    return series.compactMap { uid in
      let members = filter { $0.seriesInstanceUID == uid }
      guard let first = members.first else { return nil }
      return [
        .typeOfInstances: .values("CS", ["DICOM"]),
        .studyInstanceUID: .values("UI", [first.studyInstanceUID]),
        .seriesInstanceUID: .values("UI", [uid]),
        .referencedSOPSequence: .items(
          members.map {
            [
              .referencedSOPClassUID: .values("UI", [$0.sopClassUID]),
              .referencedSOPInstanceUID: .values("UI", [$0.sopInstanceUID]),
            ]
          }),
      ]
    }
  }
}
