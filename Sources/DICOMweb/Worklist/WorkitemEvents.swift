import AsyncHTTPClient
import DICOM
import Foundation

/// What a worklist server reports to those who have subscribed to a workitem (PS3.4 CC.2.4).
public struct WorkitemEvent: Sendable, Equatable {
  /// Of the workitem.
  public var uid: String
  /// Event Type ID (PS3.4 table CC.2.4-1).
  public var type: Int

  /// Whether the workitem's requester asks its performer to cancel it.
  public var isCancelRequest: Bool { type == 2 }

  /// - Returns: nil where it is no report on a workitem.
  init?(_ json: Data) {
    let decoder = JSONDecoder()
    guard
      let dataset = (try? decoder.decode(JSONDataset.self, from: json))
        ?? (try? decoder.decode([JSONDataset].self, from: json))?.first,
      let uid = dataset.text(.affectedSOPInstanceUID), DICOMUID.isValid(uid),
      let type = dataset.integer(.eventTypeID)
    else { return nil }
    self.uid = uid
    self.type = type
  }
}

/// Events of workitems (PS3.18 11.10 and 8.10).
extension DICOMwebClient {
  /// Asks the server to report what happens to a workitem (Subscribe, PS3.18 11.10).
  ///
  /// - Parameters:
  ///   - uid: of the workitem.
  ///   - title: our AE title.
  /// - Returns: where its reports can be followed (``events(at:take:)``); nil where the server has no such service.
  /// - Throws: ``DICOMwebError``
  public func subscribe(to uid: String, as title: String) async throws(DICOMwebError) -> URL? {
    var request = try request("workitems/\(uid)/subscribers/\(title)", [])
    request.method = .POST
    let name = request.url
    let answer = try await connections.run(request, duration: limits.duration) {
      _, _ throws(DICOMwebError) in
    }
    switch answer.status {
    case 200...299: break
    case 400, 403, 404, 405, 409, 501: return nil
    default: throw .refused(url: name, status: answer.status)
    }
    guard let text = answer.contentLocation, let place = URL(string: text, relativeTo: url) else {
      return nil
    }
    // The reports come with our credentials: from the same host alone, and not in the clear.
    guard place.host == url.host, url.scheme != "https" || ["wss", "https"].contains(place.scheme)
    else {
      throw .malformed(url: name, reason: "its events are at another host, or not secured")
    }
    return place.absoluteURL
  }

  /// Follows the reports of the server over a WebSocket (Open Notification Connection and Send Event Report,
  /// PS3.18 8.10), until it closes the connection or this task is cancelled.
  ///
  /// - Parameters:
  ///   - place: of ``subscribe(to:as:)``.
  ///   - take: is told of each event.
  /// - Throws: ``DICOMwebError`` where there is no connection, or it breaks.
  public func events(at place: URL, take: @escaping @Sendable (WorkitemEvent) async -> Void)
    async throws(DICOMwebError)
  {
    let authorization = try request("", []).headers.first(name: "Authorization")
    let isSecured = ["wss", "https"].contains(place.scheme)
    let channel = NotificationConnection(
      url: place, authorization: authorization,
      tls: isSecured ? try HTTPConnections.tls(security, url) : nil)
    do {
      try await channel.follow { data in
        if let event = WorkitemEvent(data) { await take(event) }
      }
    } catch let error as DICOMwebError {
      throw error
    } catch {
      if Task.isCancelled { throw .cancelled }
      throw .unreachable(url: place.absoluteString, reason: "\(error)")
    }
  }
}
