import HTTPTypes
import Hummingbird
import Synchronization

extension Dashboard {
  /// Streams at the same time; each asks the ledger once a second.
  private static let mostStreams = 32

  /// Tells a page that something has happened (server-sent events, HTML Standard 9.2).
  func addEvents(to pages: some RouterMethods<DashboardContext>) {
    let streams = Streams()
    let ledger = ledger
    pages.get("events") { _, _ in
      guard streams.begin(atMost: Self.mostStreams) else {
        throw DashboardRefusal(.serviceUnavailable, "too many pages are open")
      }
      return Response(
        status: .ok, headers: [.contentType: "text/event-stream"],
        body: ResponseBody { writer in
          defer { streams.end() }
          var last = try await offPool { try ledger.lastEvent() }
          try await writer.write(
            ByteBuffer(string: "retry: 2000\nevent: change\ndata: \(last)\n\n"))
          var quiet = 0
          while true {
            try await Task.sleep(for: .seconds(1))
            let now = try await offPool { try ledger.lastEvent() }
            quiet += 1
            if now != last {
              last = now
              quiet = 0
              try await writer.write(ByteBuffer(string: "event: change\ndata: \(now)\n\n"))
            } else if quiet >= 10 {
              quiet = 0
              // Whoever has gone is noticed by it.
              try await writer.write(ByteBuffer(string: ": still here\n\n"))
            }
          }
        })
    }
  }
}

/// How many streams are open.
private final class Streams: Sendable {
  private let count = Mutex(0)

  func begin(atMost most: Int) -> Bool {
    count.withLock { count in
      guard count < most else { return false }
      count += 1
      return true
    }
  }

  func end() { count.withLock { $0 -= 1 } }
}
