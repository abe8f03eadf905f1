import Hummingbird
import NIOCore

/// What is known of a request besides itself.
public struct WebRequestContext: RequestContext {
  public var coreContext: CoreRequestContextStorage
  let channel: any Channel
  /// Set for every request that reaches a route.
  public internal(set) var connection: Connection?
  /// Whose password or token came with the request; nil where none is demanded.
  public internal(set) var client: String?
  /// What that client may do; nil where no proof of it is demanded.
  public internal(set) var role: WebRole?

  public init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
  }

  /// The client's address, in numbers.
  public var address: String { connection?.address ?? "unknown" }
}

/// Finds the connection of a request.
struct ConnectionMiddleware: RouterMiddleware {
  let connections: Connections

  func handle(
    _ request: Request, context: WebRequestContext,
    next: (Request, WebRequestContext) async throws -> Response
  ) async throws -> Response {
    var context = context
    guard let connection = connections.connection(of: context.channel) else {
      return .text(.serviceUnavailable, "the connection has been given to another client")
    }
    context.connection = connection
    return try await next(request, context)
  }
}

extension Response {
  /// An answer in words.
  ///
  /// - Parameters:
  ///   - status: of the answer.
  ///   - text: one line, for whoever reads it at the client.
  ///   - fields: of the header, besides the content's.
  public static func text(
    _ status: HTTPResponse.Status, _ text: String, _ fields: HTTPFields = [:]
  ) -> Response {
    var fields = fields
    fields[.contentType] = "text/plain; charset=utf-8"
    return Response(
      status: status, headers: fields,
      body: ResponseBody(byteBuffer: ByteBuffer(string: text + "\n")))
  }
}
