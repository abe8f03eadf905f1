import HTTPTypes
import Hummingbird
import Synchronization

extension Dashboard {
  /// Streams at the same time, fewer than connections; each asks the ledger once a second.
  private static let mostStreams = 24
  private static let mostStreamsPerVisitor = 8
  /// Seconds after which a browser has to ask anew, and to be admitted.
  private static let longestStream = 600

  /// Tells a page that something has happened (server-sent events, HTML Standard 9.2).
  func addEvents(to pages: some RouterMethods<DashboardContext>) {
    let streams = Streams()
    let (ledger, sessions) = (ledger, sessions)
    pages.get("events") { _, context in
      let session = context.visitor.sessionIdentifier
      // People behind one address do not take each other's places where they have logged in.
      let visitor = context.visitor.key(context.web.address)
      guard streams.hasPlace(visitor, of: Self.mostStreamsPerVisitor, in: Self.mostStreams) else {
        throw DashboardRefusal(.serviceUnavailable, "too many pages are open")
      }
      return Response(
        status: .ok, headers: [.contentType: "text/event-stream"],
        body: ResponseBody { writer in
          // Counted only where it is written.
          streams.begin(visitor)
          defer { streams.end(visitor) }
          var last = try await offPool { try ledger.lastChange() }
          try await writer.write(
            ByteBuffer(string: "retry: 2000\nevent: change\ndata: \(last)\n\n"))
          for _ in 0..<Self.longestStream {
            try await Task.sleep(for: .seconds(1))
            // The browser asks anew, and is told to log in.
            if let session, sessions.session(session, isUse: false) == nil { break }
            let now = try await offPool { try ledger.lastChange() }
            // Whoever has gone is noticed by the comment.
            let text = now == last ? ":\n\n" : "event: change\ndata: \(now)\n\n"
            last = now
            try await writer.write(ByteBuffer(string: text))
          }
          try await writer.finish(nil)
        })
    }
  }
}

/// How many streams are open.
private final class Streams: Sendable {
  /// By session or, where there is none, user or address.
  private let counts = Mutex<[String: Int]>([:])

  func hasPlace(_ visitor: String, of ownMost: Int, in most: Int) -> Bool {
    counts.withLock { $0[visitor, default: 0] < ownMost && $0.values.reduce(0, +) < most }
  }

  func begin(_ visitor: String) { counts.withLock { $0[visitor, default: 0] += 1 } }

  func end(_ visitor: String) {
    counts.withLock { counts in
      let left = counts[visitor, default: 1] - 1
      counts[visitor] = left > 0 ? left : nil
    }
  }
}
