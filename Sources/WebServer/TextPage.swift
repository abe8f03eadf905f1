import Dispatch
import HTTPTypes
import Hummingbird

/// Text that is made anew for each request, such as metrics.
///
/// ```swift
/// let page = TextPage("/healthz", isOpen: true) { .ok("ok\n") }
/// ```
public struct TextPage: WebRoutes {
  /// What is answered.
  public enum Answer: Sendable {
    case ok(String)
    /// Not at the moment, and why.
    case unavailable(String)
  }

  private let path: String
  private let isOpen: Bool
  private let contentType: String
  private let answer: @Sendable () -> Answer

  /// - Parameters:
  ///   - path: of the page, beginning with a slash.
  ///   - isOpen: whether it needs neither password nor token, from the addresses that are admitted.
  ///   - contentType: media type of the text.
  ///   - answer: makes the text; it may block.
  public init(
    _ path: String, isOpen: Bool, contentType: String = "text/plain; charset=utf-8",
    answer: @escaping @Sendable () -> Answer
  ) {
    self.path = path
    self.isOpen = isOpen
    self.contentType = contentType
    self.answer = answer
  }

  public func isOpen(_ path: String) -> Bool { isOpen && path == self.path }

  public func add(to router: Router<WebRequestContext>) {
    router.get(RouterPath(path)) { _, _ in
      let answer = await withCheckedContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(returning: self.answer()) }
      }
      let (status, text): (HTTPResponse.Status, String) =
        switch answer {
        case .ok(let text): (.ok, text)
        case .unavailable(let text): (.serviceUnavailable, text)
        }
      return Response(
        status: status, headers: [.contentType: contentType, .cacheControl: "no-store"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
  }
}
