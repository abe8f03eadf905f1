import DICOM
import DICOMNetwork
import DICOMweb
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOFoundationCompat
import Synchronization
import WebServer

/// The Store transaction of DICOMweb, STOW-RS (PS3.18 10.5), for PS3.10 objects: `POST /studies` and
/// `POST /studies/{study}`.
///
/// A request counts as an association, with STOW-RS as called AE title and the client's name as calling
/// one. Its instances go into files of the handler's as they come, and are stored one by one.
public struct StoreService: WebRoutes {
  private let configuration: StoreConfiguration
  private let store: any StoreHandler
  private let association: @Sendable (AssociationEvent) -> Void
  private let logger: Logger
  private let requests = RequestCount()
  /// What a client is told to wait, in seconds, where there are no resources.
  private static let retryAfter = "30"

  /// - Parameters:
  ///   - configuration: what is taken.
  ///   - store: takes the instances; its calls may block.
  ///   - association: is told of the beginning and end of each request.
  ///   - logger: is told of requests and what is refused.
  public init(
    _ configuration: StoreConfiguration, store: any StoreHandler,
    association: @escaping @Sendable (AssociationEvent) -> Void, logger: Logger
  ) {
    self.configuration = configuration
    self.store = store
    self.association = association
    self.logger = logger
  }

  public func add(to router: Router<WebRequestContext>) {
    let studies = "\(configuration.prefix)/studies"
    router.post(RouterPath(studies)) { request, context in
      try await answer(request, context, study: nil)
    }
    router.post(RouterPath("\(studies)/{study}")) { request, context in
      let study = context.parameters.get("study") ?? ""
      guard DICOMUID.isValid(study) else {
        return refusal(.badRequest, "the study of the address is not a UID", context)
      }
      return try await answer(request, context, study: study)
    }
  }

  private func answer(_ request: Request, _ context: WebRequestContext, study: String?) async throws
    -> Response
  {
    let type: StoreRequestType
    do throws(StoreRequestType.Fault) {
      type = try StoreRequestType(
        contentType: request.headers[.contentType],
        contentEncoding: request.headers[.contentEncoding])
    } catch {
      return refusal(StoreFault(error), context)
    }
    guard requests.begin(limit: configuration.limits.requests) else {
      return unavailable("too many requests at the same time", context)
    }
    defer { requests.end() }
    if let fault = configuration.limits.spaceFault(in: configuration.folder) {
      return unavailable(fault, context)
    }
    if let length = request.headers[.contentLength].flatMap({ Int($0) }), type == .single,
      length > configuration.limits.objectBytes
    {
      return refusal(
        .tooLarge(reason: "an object has more than \(configuration.limits.objectBytes) bytes"),
        context)
    }
    if request.headers[.expect]?.lowercased() == "100-continue" { context.connection?.goOn() }
    var association = Association.withoutDIMSE(
      calling: context.client ?? "STOW-RS", called: "STOW-RS")
    association.peerAddress = context.address
    let transaction = StoreTransaction(
      type, study: study, association: association, configuration: configuration, store: store,
      logger: logger)
    await blocking { tell(transaction, .accepted) }
    return try await take(request, context, transaction)
  }

  private func take(
    _ request: Request, _ context: WebRequestContext, _ transaction: StoreTransaction
  ) async throws -> Response {
    do {
      for try await buffer in request.body {
        let data = Data(buffer: buffer)
        try await blocking { () throws(StoreFault) in try transaction.take(data) }
      }
      // A body that breaks off ends as well.
      guard context.connection?.isRequestWhole == true else { throw BrokenBody() }
      let response = try await blocking { () throws(StoreFault) in try transaction.finish() }
      await end(transaction, .released, "")
      return try self.response(response, accept: request.headers[.accept])
    } catch let fault as StoreFault {
      await end(transaction, fault.end, fault.reason)
      return refusal(fault, context)
    } catch is EncodingError {
      return refusal(.internalServerError, "the answer could not be written", context)
    } catch {
      let (end, reason) = AssociationEnd.broken(by: context.connection?.fault)
      await self.end(transaction, end, reason)
      return refusal(.badRequest, reason, context)
    }
  }

  private func end(_ transaction: StoreTransaction, _ end: AssociationEnd, _ message: String) async
  {
    await blocking {
      if end != .released { transaction.abandon(message) }
      tell(transaction, .ended(end), message)
    }
    let response = transaction.response
    let counts = "\(response.stored.count) stored, \(response.failed.count) refused"
    logger.log(
      level: end == .released ? .info : .warning,
      "STOW-RS request ended: \(message.isEmpty ? "" : "\(message); ")\(counts)",
      metadata: [
        "peer": "\(transaction.association.callingAETitle)",
        "address": "\(transaction.association.peerAddress)",
      ])
  }

  private func tell(
    _ transaction: StoreTransaction, _ kind: AssociationEvent.Kind, _ message: String = ""
  ) {
    let response = transaction.response
    association(
      AssociationEvent(
        kind: kind, association: transaction.association, message: message,
        stored: response.stored.count, refused: response.failed.count))
  }

  // MARK: Answers

  private func response(_ response: StoreInstancesResponse, accept: String?) throws -> Response {
    let isXML = StoreRequestType.wantsXML(accept: accept)
    var fields: HTTPFields = [
      .contentType: isXML ? "application/dicom+xml" : "application/dicom+json"
    ]
    if response.status == 503 { fields[.retryAfter] = Self.retryAfter }
    let body = isXML ? response.xml() : try response.json()
    return Response(
      status: HTTPResponse.Status(code: response.status), headers: fields,
      body: ResponseBody(byteBuffer: ByteBuffer(data: body)))
  }

  private func unavailable(_ reason: String, _ context: WebRequestContext) -> Response {
    refusal(.serviceUnavailable, reason, context, [.retryAfter: Self.retryAfter])
  }

  private func refusal(_ fault: StoreFault, _ context: WebRequestContext) -> Response {
    refusal(HTTPResponse.Status(code: fault.status), fault.reason, context)
  }

  /// The rest of the body is of no use, so that the connection ends.
  private func refusal(
    _ status: HTTPResponse.Status, _ reason: String, _ context: WebRequestContext,
    _ fields: HTTPFields = [:]
  ) -> Response {
    logger.warning(
      "STOW-RS request refused with \(status.code): \(reason)",
      metadata: ["address": "\(context.address)"])
    var fields = fields
    fields[.connection] = "close"
    return .text(status, reason, fields)
  }
}

/// The connection was lost within a body.
private struct BrokenBody: Error {}

/// How many requests there are.
private final class RequestCount: Sendable {
  private let count = Mutex(0)

  func begin(limit: Int) -> Bool {
    count.withLock { count in
      guard count < limit else { return false }
      count += 1
      return true
    }
  }

  func end() { count.withLock { $0 -= 1 } }
}

extension AssociationEnd {
  fileprivate static func broken(by fault: Connection.Fault?) -> (AssociationEnd, reason: String) {
    switch fault {
    case .timedOut: (.timedOut, "the client was silent for too long")
    case .shutDown: (.shutDown, "segmentd was stopping")
    case .displaced, nil: (.connectionLost, "the connection was lost within the body")
    }
  }
}

/// Runs what blocks on a queue of its own.
private func blocking<Value: Sendable, Failure: Error>(
  _ body: @escaping @Sendable () throws(Failure) -> Value
) async throws(Failure) -> Value {
  let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
    DispatchQueue.global().async { continuation.resume(returning: Result(catching: body)) }
  }
  return try result.get()
}
