import Dispatch
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Takes the body of a request as it comes. All methods block; they are called one after the other.
public protocol UploadSink: Sendable {
  /// Takes more of the body.
  ///
  /// - Throws: ``UploadFault`` where the request is given up.
  func take(_ data: Data) throws(UploadFault)

  /// The body is whole.
  ///
  /// - Returns: the answer, in JSON.
  func finish() throws(UploadFault) -> Data

  /// The body will not come to its end, or something of it was refused.
  func abandon()
}

/// Why a request is given up.
public enum UploadFault: Error, Sendable, Equatable {
  /// It makes no sense.
  case malformed(reason: String)
  /// What came is not what was announced.
  case doesNotMatch(reason: String)
  /// It is of no use to send it now: the client tries again.
  case unavailable(reason: String)

  var status: HTTPResponse.Status {
    switch self {
    case .malformed: .badRequest
    case .doesNotMatch: .unprocessableContent
    case .unavailable: .serviceUnavailable
    }
  }

  /// What is wrong, for whoever reads the client's log.
  public var reason: String {
    switch self {
    case .malformed(let reason), .doesNotMatch(let reason), .unavailable(let reason): reason
    }
  }
}

/// Takes what listeners hand over: a `POST` with a body of any size, and an answer in JSON. Nobody else is
/// admitted there, and listeners nowhere else.
public struct UploadRoute: WebRoutes {
  private static let prefix = "/handover/"
  private let name: String
  private let open: @Sendable (String) throws(UploadFault) -> any UploadSink
  private let logger: Logger

  /// - Parameters:
  ///   - name: of the path, behind `/handover/`.
  ///   - logger: is told of requests that are given up.
  ///   - open: makes what takes the body, of the listener's name; it may block.
  public init(
    _ name: String, logger: Logger,
    open: @escaping @Sendable (String) throws(UploadFault) -> any UploadSink
  ) {
    self.name = name
    self.logger = logger
    self.open = open
  }

  static func isOfListeners(_ path: String) -> Bool { path.hasPrefix(prefix) }

  public func add(to router: Router<WebRequestContext>) {
    router.post(RouterPath(Self.prefix + name)) { request, context -> Response in
      guard context.role == .listener, let client = context.client else {
        return Response.text(.forbidden, "only a listener hands over", [.connection: "close"])
      }
      do throws(UploadFault) {
        return try await answer(request, context, client)
      } catch {
        logger.warning(
          "what listener \(client) hands over is refused with \(error.status.code): \(error.reason)",
          metadata: ["address": "\(context.address)"])
        // The rest of the body is of no use, so that the connection ends.
        return Response.text(error.status, error.reason, [.connection: "close"])
      }
    }
  }

  private func answer(
    _ request: Request, _ context: WebRequestContext, _ client: String
  ) async throws(UploadFault) -> Response {
    let open = open
    let sink = try await blocking { () throws(UploadFault) in try open(client) }
    do throws(UploadFault) {
      try await pass(request.body, to: sink)
      // A body that breaks off ends as well.
      guard context.connection?.isRequestWhole == true else {
        throw .malformed(reason: "the connection was lost within the body")
      }
      let text = try await blocking { () throws(UploadFault) in try sink.finish() }
      return Response(
        status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-store"],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: text)))
    } catch {
      await blocking { sink.abandon() }
      throw error
    }
  }

  private func pass(_ body: RequestBody, to sink: any UploadSink) async throws(UploadFault) {
    do {
      for try await buffer in body {
        let data = Data(buffer.readableBytesView)
        try await blocking { () throws(UploadFault) in try sink.take(data) }
      }
    } catch let fault as UploadFault {
      throw fault
    } catch {
      throw .malformed(reason: "the connection was lost within the body")
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
