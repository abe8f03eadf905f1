import DICOMNetwork
import DICOMweb
import Foundation
import JobLedger

/// A server that takes results by STOW-RS (PS3.18 10.5), and proves by QIDO-RS that it keeps them.
public struct STOWDestination: ResultDestination {
  public let proof: ProofOfArrival?
  private let url: URL
  private let authorization: @Sendable () throws(DeliveryFault) -> DICOMwebClient.Authorization
  private let security: DICOMwebClient.Security?
  private let limits: DICOMwebClient.Limits
  /// The longest time that a server may ask us to wait.
  private static let longestWait: TimeInterval = 86_400

  public var description: String { url.absoluteString }

  /// - Parameters:
  ///   - url: of the service, as `https://pacs/dicom-web`.
  ///   - authorization: read for each result, so that a token may be renewed.
  ///   - security: TLS; nil for what the system trusts.
  ///   - timeout: seconds for the connection, and without any byte.
  ///   - isAskedForProof: whether it has to list what it took.
  public init(
    url: URL,
    authorization: @escaping @Sendable () throws(DeliveryFault) -> DICOMwebClient.Authorization,
    security: DICOMwebClient.Security? = nil, timeout: Int = 30, isAskedForProof: Bool = false
  ) {
    self.url = url
    self.authorization = authorization
    self.security = security
    proof = isAskedForProof ? .query : nil
    var limits = DICOMwebClient.Limits()
    limits.timeout = Double(timeout)
    limits.listBytes = 16 << 20
    self.limits = limits
  }

  private func client() throws(DeliveryFault) -> DICOMwebClient {
    DICOMwebClient(
      url: url, authorization: try authorization(), security: security, limits: limits)
  }

  /// Each object is a transaction of its own: what became of it is known whatever becomes of the next.
  public func send(
    _ objects: [OutgoingObject], answered: @escaping @Sendable (Int, SendAnswer) -> Void
  ) async throws(DeliveryFault) -> [SendAnswer] {
    let client = try client()
    var answers: [SendAnswer] = []
    for (index, object) in objects.enumerated() {
      do throws(DICOMwebError) {
        let answer = try await client.store(URL(fileURLWithPath: object.path))
        answers.append(self.answer(answer, object.sopInstanceUID))
        answered(index, answers[index])
      } catch {
        // The others would fare no better.
        let fault = SendAnswer.failed(DeliveryFault(error, self), status: nil)
        return answers + objects[index...].map { _ in fault }
      }
    }
    return answers
  }

  private func answer(_ answer: StoreAnswer, _ uid: String) -> SendAnswer {
    let failure = answer.response?.failed.first {
      $0.instance.sopInstanceUID == nil || $0.instance.sopInstanceUID == uid
    }
    let isNamed = answer.response?.stored.contains { $0.sopInstanceUID == uid } ?? false
    switch (answer.status, failure) {
    case (200...202, let failure?) where !isNamed, (409, let failure?) where !isNamed:
      return refusal(failure.reason)
    case (200, _), (201, _), (204, _):
      // Such as a page for people, where no DICOMweb is.
      guard isNamed || answer.response == nil && answer.saysNothing else {
        let text = "\(self) answered \(answer.status) and does not say that it stored the object"
        return .failed(.refused(text + "; correct url, and retry"), status: nil)
      }
      return .stored(status: 0, note: nil)
    case (202, _):
      guard let stored = answer.response?.stored.first(where: { $0.sopInstanceUID == uid }) else {
        let text = "\(self) answered 202 and does not say what became of it"
        return .failed(.refused(text, isPermanent: false), status: nil)
      }
      let warning = stored.warning ?? 0xB000
      return .stored(status: warning, note: "warning \(Self.meaning(of: warning))")
    default: return .failed(fault(answer), status: nil)
    }
  }

  private func refusal(_ reason: UInt16) -> SendAnswer {
    if reason == 0x0111 {
      return .stored(status: reason, note: "0x0111: it had the object already")
    }
    let text = "\(self) refused it with \(Self.meaning(of: reason))"
    if reason == 0x0122 { return .notSupported(.refused(text), status: reason) }
    return .failed(
      .refused(text, isPermanent: !(0xA700...0xA7FF).contains(reason)), status: reason)
  }

  /// A status that says nothing of the object.
  private func fault(_ answer: StoreAnswer) -> DeliveryFault {
    let text = "\(self) answered \(answer.status)"
    switch answer.status {
    case 408, 429, 500...599:
      let pause = min(answer.retryAfter ?? 0, Self.longestWait)
      return .unreachable(
        text + (pause > 0 ? " and asks to wait for \(Int(pause)) s" : ""), retryAfter: pause)
    case 300...399:
      let target = answer.location.flatMap(URL.init(string:))?.host ?? "another address"
      return .refused(
        "\(text): it redirects to \(target), where nothing is sent; put the address that takes "
          + "instances into url, and retry")
    default: return .refused(text + Self.advice(answer.status))
    }
  }

  fileprivate static func advice(_ status: Int) -> String {
    switch status {
    case 401, 403:
      ": it does not admit us; correct user, passwordFile or tokenFile, or our rights there, and retry"
    case 404, 405: ": nothing takes instances there; correct url, and retry"
    case 409: ": it did not store the object, and does not say why"
    case 413: ": the object is too large for it"
    case 415: ": it takes no application/dicom"
    default: ""
    }
  }

  /// A Failure or Warning Reason in words (PS3.18 I.2.2).
  private static func meaning(of reason: UInt16) -> String {
    let words =
      switch reason {
      case 0x0110: "processing failure"
      case 0x0122: "the SOP class is not supported"
      case 0x0124: "not authorized"
      case 0xA700...0xA7FF: "out of resources"
      case 0xA900...0xA9FF: "the dataset does not match its SOP class"
      case 0xB000: "values were coerced"
      case 0xB006: "elements were discarded"
      case 0xB007: "the dataset does not match its SOP class"
      case 0xC122: "the transfer syntax is not supported"
      case 0xC000...0xCFFF: "it cannot be understood"
      default: "unknown reason"
      }
    return String(format: "0x%04X: ", reason) + words
  }

  public func listed(_ objects: [OutgoingObject]) async throws(DeliveryFault) -> Set<String> {
    let client = try client()
    var listed = Set<String>()
    for place in try objects.places() {
      do throws(DICOMwebError) {
        let found = try await client.instances(
          ofSeries: place.series, study: place.study, refusingUnknown: true)
        listed.formUnion(found.map(\.sopInstanceUID))
      } catch {
        guard case .refused(_, let status) = error, [404, 405, 501].contains(status) else {
          throw DeliveryFault(error, self)
        }
        // 404 may also say that it does not know the series yet.
        if try await !answersQueries(client) { throw withoutQueries(status) }
      }
    }
    return listed
  }

  private func answersQueries(_ client: DICOMwebClient) async throws(DeliveryFault) -> Bool {
    do throws(DICOMwebError) { return try await client.answersQueries() } catch {
      throw DeliveryFault(error, self)
    }
  }

  private func withoutQueries(_ status: Int) -> DeliveryFault {
    .refused(
      "\(self) answered \(status) to a query: it took the result, and without QIDO-RS there it cannot be "
        + "verified that it keeps it; set verify: none for this destination, or correct url, and retry "
        + "(what it took is not sent again)")
  }

  public func requestCommitment(
    _ transactionUID: String, _ objects: [OutgoingObject],
    report: @escaping @Sendable (ReportedCommitment) -> ActionStatus
  ) async throws(DeliveryFault) {
    throw DeliveryFault(
      description: "\(self): DICOMweb has no storage commitment", isPermanent: true)
  }
}

extension DeliveryFault {
  fileprivate init(_ error: DICOMwebError, _ destination: STOWDestination) {
    description = error.description
    switch error {
    case .unreachable: failure = .unreachable
    case .refused(_, let status):
      failure = error.isPassing ? .unreachable : .refused
      isPermanent = !error.isPassing
      description = "\(destination) answered \(status)" + STOWDestination.advice(status)
    case .tooLarge, .malformed: (failure, isPermanent) = (.refused, true)
    case .notWritten, .notRead, .unusableCertificate, .cancelled: break
    }
  }
}
