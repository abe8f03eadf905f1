import Foundation
import JobLedger
import Logging
import ServiceLifecycle
import Synchronization
import WebClient
import Wording

/// How many spans were sent and left out since the process began, and how many events wait.
public struct TraceCounts: Sendable, Equatable {
  public var sent = 0
  public var dropped = 0
  public var waitingEvents = 0

  public init() {}
}

/// Sends spans of what the ledger says has ended to a receiver of OTLP over HTTP.
///
/// Whatever it does, nothing else waits for it: it reads the ledger in small portions, and what waits is not kept in
/// memory, it is the ledger's history. Where the receiver takes nothing for so long that too much waits, the oldest is
/// left out and counted.
public final class TraceExporter: Service {
  public struct Limits: Sendable {
    /// Events that may wait for the receiver.
    public var waitingEvents: Int64 = 20_000
    /// Events of one request.
    public var eventsAtOnce = 100
    /// Seconds between two looks at the ledger.
    public var pause = 5.0

    public init() {}
  }

  private let ledger: Ledger
  private let receiver: JSONService
  private let resource: TraceResource
  private let spans: SpansOfWork
  private let limits: Limits
  private let logger: Logger
  private let count = Mutex(TraceCounts())

  /// - Parameters:
  ///   - ledger: of the daemon.
  ///   - receiver: with the path of traces, usually `/v1/traces`.
  ///   - resource: what is said of this installation.
  ///   - stages: names of the stages of an attempt, in their order.
  ///   - limits: of what waits.
  ///   - logger: is told when the receiver stops or begins to take spans.
  public init(
    ledger: Ledger, receiver: JSONService, resource: TraceResource, stages: [String],
    limits: Limits = Limits(), logger: Logger
  ) {
    self.ledger = ledger
    self.receiver = receiver
    self.resource = resource
    spans = SpansOfWork(installation: resource.installation, stages: stages)
    self.limits = limits
    self.logger = logger
  }

  public var counts: TraceCounts { count.withLock { $0 } }

  public func run() async throws {
    await cancelWhenGracefulShutdown { [self] in
      var failures = 0
      while !Task.isCancelled {
        do {
          let isMore = try await sendNext()
          if failures > 0 { logger.notice("traces are sent again") }
          failures = 0
          if isMore { continue }
        } catch is CancellationError {
          return
        } catch {
          failures += 1
          // A receiver that is down for days is no news each minute.
          logger.log(
            level: failures == 1 ? .warning : .debug, "traces are not sent: \(error)",
            metadata: ["attempt": "\(failures)"])
        }
        try? await Task.sleep(for: .seconds(failures == 0 ? limits.pause : backoff(failures)))
      }
    }
  }

  /// As long as the pause between two looks and twice as long after each failure, up to a minute.
  private func backoff(_ failures: Int) -> Double {
    min(60, limits.pause * Double(1 << min(failures - 1, 10)))
  }

  /// Sends what ended in the next part of the history.
  ///
  /// - Returns: whether more waits.
  /// - Throws: `ServiceError`, `LedgerError`, or `CancellationError`; then the same is sent again.
  func sendNext() async throws -> Bool {
    let position = try ledger.tracePosition()
    let page = try ledger.finishedWork(after: position, limit: limits.eventsAtOnce)
    guard page.upTo > position else {
      count.withLock { $0.waitingEvents = 0 }
      return false
    }
    let spans = page.work.flatMap { self.spans.spans(of: $0) }
    let taken: Int
    do {
      taken = spans.isEmpty ? 0 : try await send(spans)
    } catch {
      try dropOldest(after: position)
      throw error
    }
    try ledger.markTraced(upTo: page.upTo)
    count.withLock {
      $0.waitingEvents = Int(page.head - page.upTo)
      $0.sent += taken
      $0.dropped += spans.count - taken
    }
    return page.upTo < page.head
  }

  /// - Returns: how many were taken. What the receiver will never take is not sent again (OTLP, Failures and Partial
  ///   Success): others have to go on.
  private func send(_ spans: [Span]) async throws -> Int {
    let answer = try await receiver.exchange(try ExportRequest(spans, of: resource).json)
    if answer.status == 400 || answer.status == 413 {
      logger.warning(
        "\(spans.count) spans are left out: \(receiver.place) answers \(answer.status)")
      return 0
    }
    guard (200..<300).contains(answer.status) else {
      throw ServiceError.refused(place: receiver.place, code: answer.status, reason: "")
    }
    let partial = PartialSuccess(answer.body)
    let rejected = min(spans.count, max(0, partial.rejectedSpans))
    if rejected > 0 || !partial.message.isEmpty {
      logger.warning(
        "\(receiver.place) took \(spans.count - rejected) of \(counted(spans.count, "span")): \(partial.message)"
      )
    }
    return spans.count - rejected
  }

  /// Leaves out what is too much.
  private func dropOldest(after first: Int64) throws {
    var position = first
    while true {
      let page = try ledger.finishedWork(after: position, limit: limits.eventsAtOnce)
      count.withLock { $0.waitingEvents = Int(page.head - position) }
      guard page.head - position > limits.waitingEvents, page.upTo > position else { break }
      position = page.upTo
      let spans = page.work.flatMap { self.spans.spans(of: $0) }
      count.withLock { $0.dropped += spans.count }
    }
    if position > first { try ledger.markTraced(upTo: position) }
  }

  /// Whether the receiver answers, by a request without spans.
  ///
  /// - Returns: what works, for people.
  /// - Throws: `ServiceError`, or `CancellationError`
  public static func check(_ receiver: JSONService, _ resource: TraceResource) async throws
    -> String
  {
    let status = try await receiver.post(try ExportRequest([], of: resource).json)
    guard (200..<300).contains(status) else {
      throw ServiceError.refused(place: receiver.place, code: status, reason: "")
    }
    return "\(receiver.place) takes traces"
  }
}
