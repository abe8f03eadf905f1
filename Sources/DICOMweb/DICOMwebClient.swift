import AsyncHTTPClient
import DICOM
import Foundation

/// Asks a DICOMweb server what it has (QIDO-RS, PS3.18 10.6) and retrieves it (WADO-RS, PS3.18 10.4).
///
/// ```swift
/// let client = DICOMwebClient(url: URL(string: "https://pacs/dicom-web")!)
/// for series in try await client.series(ofStudy: study) { print(series.seriesInstanceUID) }
/// ```
public struct DICOMwebClient: Sendable {
  /// How the server knows us.
  public enum Authorization: Sendable, Equatable, CustomStringConvertible,
    CustomDebugStringConvertible
  {
    case none
    case basic(user: String, password: String)
    case bearer(token: String)

    /// Without the secret, wherever it is printed.
    public var description: String {
      switch self {
      case .none: "none"
      case .basic(let user, _): "password of \(user)"
      case .bearer: "token"
      }
    }

    public var debugDescription: String { description }
  }

  /// TLS; files are in PEM.
  public struct Security: Sendable, Equatable {
    /// Certificates of those who sign the server's; nil for those that the system trusts.
    public var trusted: String?
    /// Ours, followed by those between it and the root, for a server that asks for one.
    public var certificate: String?
    public var key: String?
    /// Whether the server's certificate is checked.
    public var verifiesServer = true

    public init(
      trusted: String? = nil, certificate: String? = nil, key: String? = nil,
      verifiesServer: Bool = true
    ) {
      self.trusted = trusted
      self.certificate = certificate
      self.key = key
      self.verifiesServer = verifiesServer
    }
  }

  /// What is read of a server's answers, and how long it may take.
  public struct Limits: Sendable {
    /// Seconds without any byte.
    public var timeout = 60.0
    /// Seconds for one answer.
    public var duration = 900.0
    /// Bytes of one list of matches, and of one object.
    public var listBytes = 64 << 20
    public var objectBytes = 4 << 30
    public var matches = 100_000

    public init() {}
  }

  /// A series as the server describes it.
  public struct Series: Sendable, Equatable {
    public var seriesInstanceUID: String
    public var modality: String
    /// Number of Series Related Instances (0020,1209); nil where the server does not tell it.
    public var instanceCount: Int?
  }

  /// An instance as the server describes it.
  public struct Instance: Sendable, Equatable {
    public var sopInstanceUID: String
    /// Nil where the server does not tell it.
    public var sopClassUID: String?
  }

  let url: URL
  private let authorization: Authorization
  let security: Security?
  let limits: Limits
  let connections: HTTPConnections
  /// Matches that are asked for at a time.
  private static let page = 1000

  /// - Parameters:
  ///   - url: of the service, as `https://pacs/dicom-web`.
  ///   - authorization: sent with each request.
  ///   - security: TLS; nil for what the system trusts.
  ///   - limits: what is read.
  public init(
    url: URL, authorization: Authorization = .none, security: Security? = nil,
    limits: Limits = Limits()
  ) {
    self.url = url
    self.authorization = authorization
    self.security = security
    self.limits = limits
    connections = HTTPConnections(url: url, security: security, timeout: limits.timeout)
  }

  /// The series of a study, or the one that is named; none where the server does not know it.
  ///
  /// - Throws: ``DICOMwebError``
  public func series(ofStudy study: String, only series: String? = nil)
    async throws(DICOMwebError) -> [Series]
  {
    var query = [("includefield", "00201209")]
    if let series { query.append(("SeriesInstanceUID", series)) }
    let matches = try await list("studies/\(study)/series", query)
    var found: [Series] = []
    for match in matches {
      let uid = try uid(.seriesInstanceUID, of: match)
      guard series.map({ $0 == uid }) ?? true else { continue }
      found.append(
        Series(
          seriesInstanceUID: uid, modality: match.text(.modality) ?? "",
          instanceCount: match.integer(.numberOfSeriesRelatedInstances)
            .flatMap { $0 < 0 ? nil : $0 }))
    }
    return found
  }

  /// The instances of a series; none where the server does not know it.
  ///
  /// - Parameters:
  ///   - series: Series Instance UID.
  ///   - study: Study Instance UID.
  ///   - refusingUnknown: whether an answer of 404 is thrown: it may say that there is no such series,
  ///     or that nothing answers queries (``answersQueries()``).
  /// - Throws: ``DICOMwebError``
  public func instances(
    ofSeries series: String, study: String, refusingUnknown: Bool = false
  ) async throws(DICOMwebError) -> [Instance] {
    let matches = try await list(
      "studies/\(study)/series/\(series)/instances", [], refusingUnknown: refusingUnknown)
    var found: [Instance] = []
    for match in matches {
      found.append(
        Instance(
          sopInstanceUID: try uid(.sopInstanceUID, of: match),
          sopClassUID: match.text(.sopClassUID).flatMap { DICOMUID.isValid($0) ? $0 : nil }))
    }
    return found
  }

  /// Whether anything answers queries there: asks for one study, whichever it is (PS3.18 10.6.1).
  ///
  /// - Throws: ``DICOMwebError`` where the answer says neither.
  public func answersQueries() async throws(DICOMwebError) -> Bool {
    var request = try request("studies", [("limit", "1")])
    request.headers.replaceOrAdd(name: "Accept", value: "application/dicom+json")
    let answer = try await connections.run(request, duration: limits.duration) {
      _, _ throws(DICOMwebError) in
    }
    switch answer.status {
    case 200...299: return true
    case 404, 405, 501: return false
    default: throw .refused(url: request.url, status: answer.status)
    }
  }

  /// Retrieves an object as it is stored, in any transfer syntax, into a new file (PS3.10) of mode 0600,
  /// which is synced.
  ///
  /// - Throws: ``DICOMwebError``; then there is no file.
  public func retrieve(
    instance: String, ofSeries series: String, study: String, to file: URL
  ) async throws(DICOMwebError) {
    let path = "studies/\(study)/series/\(series)/instances/\(instance)"
    var request = try request(path, [])
    request.headers.replaceOrAdd(
      name: "Accept", value: #"multipart/related; type="application/dicom"; transfer-syntax=*"#)
    let name = request.url
    var object = RetrievedObject(url: name, file: file, maximumSize: limits.objectBytes)
    do throws(DICOMwebError) {
      let answer = try await connections.run(request, duration: limits.duration) {
        answer, data throws(DICOMwebError) in
        guard answer.status == 200 else { return }
        if let data { try object.take(data) } else { try object.begin(answer.contentType) }
      }
      guard answer.status == 200 else { throw .refused(url: name, status: answer.status) }
      try object.finish()
    } catch {
      object.discard()
      throw error
    }
  }

  /// Every match, a page at a time: servers limit what one answer has.
  func list(
    _ path: String, _ query: [(String, String)], refusingUnknown: Bool = false
  ) async throws(DICOMwebError) -> [JSONDataset] {
    var matches: [JSONDataset] = []
    var seen = Set<String>()
    while true {
      let more = try await page(
        path, query + [("limit", "\(Self.page)"), ("offset", "\(matches.count)")],
        refusingUnknown: refusingUnknown)
      // A server that knows no offset answers with the same again.
      let new = more.filter { match in
        let key = match.text(.sopInstanceUID) ?? match.text(.seriesInstanceUID) ?? ""
        return seen.insert(key).inserted
      }
      matches += new
      guard matches.count <= limits.matches else {
        throw .tooLarge(url: path, reason: "more than \(limits.matches) matches")
      }
      guard !new.isEmpty else { return matches }
    }
  }

  private func page(
    _ path: String, _ query: [(String, String)], refusingUnknown: Bool
  ) async throws(DICOMwebError) -> [JSONDataset] {
    var request = try request(path, query)
    request.headers.replaceOrAdd(name: "Accept", value: "application/dicom+json")
    let name = request.url
    var bytes = Data()
    let maximum = limits.listBytes
    let answer = try await connections.run(request, duration: limits.duration) {
      answer, data throws(DICOMwebError) in
      guard let data, answer.status == 200 else { return }
      bytes.append(data)
      guard bytes.count <= maximum else {
        throw .tooLarge(url: name, reason: "a list is larger than \(maximum) bytes")
      }
    }
    switch answer.status {
    case 200: break
    case 204: return []
    // Some servers do not know such a study.
    case 404 where !refusingUnknown: return []
    default: throw .refused(url: name, status: answer.status)
    }
    guard !bytes.isEmpty else { return [] }
    do {
      return try JSONDecoder().decode([JSONDataset].self, from: bytes)
    } catch {
      throw .malformed(url: name, reason: "it is no list in the DICOM JSON model")
    }
  }

  func request(_ path: String, _ query: [(String, String)]) throws(DICOMwebError)
    -> HTTPClientRequest
  {
    var parts = URLComponents(
      url: url.appendingPathComponent(path), resolvingAgainstBaseURL: false)
    if !query.isEmpty { parts?.queryItems = query.map { URLQueryItem(name: $0, value: $1) } }
    guard let full = parts?.url else { throw .malformed(url: path, reason: "it is no URL") }
    var request = HTTPClientRequest(url: full.absoluteString)
    switch authorization {
    case .none: break
    case .basic(let user, let password):
      let credentials = Data("\(user):\(password)".utf8).base64EncodedString()
      request.headers.replaceOrAdd(name: "Authorization", value: "Basic \(credentials)")
    case .bearer(let token):
      request.headers.replaceOrAdd(name: "Authorization", value: "Bearer \(token)")
    }
    return request
  }

  private func uid(_ tag: Tag, of match: JSONDataset) throws(DICOMwebError) -> String {
    guard let uid = match.text(tag), DICOMUID.isValid(uid) else {
      throw .malformed(url: url.absoluteString, reason: "a match has no \(tag)")
    }
    return uid
  }
}
