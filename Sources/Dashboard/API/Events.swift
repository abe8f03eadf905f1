import HTTPTypes
import Hummingbird
import Synchronization

extension Dashboard {
  /// Streams at the same time, fewer than connections; each asks the ledger once a second.
  private static let mostStreams = 24
  private static let mostStreamsPerAddress = 8
  /// Seconds after which a browser has to ask anew, and to be admitted.
  private static let longestStream = 600

  /// Tells a page that something has happened (server-sent events, HTML Standard 9.2).
  func addEvents(to pages: some RouterMethods<DashboardContext>) {
    let streams = Streams()
    let ledger = ledger
    pages.get("events") { _, context in
      let address = context.web.address
      guard streams.hasPlace(address, of: Self.mostStreamsPerAddress, in: Self.mostStreams) else {
        throw DashboardRefusal(.serviceUnavailable, "too many pages are open")
      }
      return Response(
        status: .ok, headers: [.contentType: "text/event-stream"],
        body: ResponseBody { writer in
          // Counted only where it is written.
          streams.begin(address)
          defer { streams.end(address) }
          var last = try await offPool { try ledger.lastChange() }
          try await writer.write(
            ByteBuffer(string: "retry: 2000\nevent: change\ndata: \(last)\n\n"))
          for _ in 0..<Self.longestStream {
            try await Task.sleep(for: .seconds(1))
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
  /// By address.
  private let counts = Mutex<[String: Int]>([:])

  func hasPlace(_ address: String, of ownMost: Int, in most: Int) -> Bool {
    counts.withLock { $0[address, default: 0] < ownMost && $0.values.reduce(0, +) < most }
  }

  func begin(_ address: String) { counts.withLock { $0[address, default: 0] += 1 } }

  func end(_ address: String) {
    counts.withLock { counts in
      let left = counts[address, default: 1] - 1
      counts[address] = left > 0 ? left : nil
    }
  }
}
