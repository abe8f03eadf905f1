import DICOMNetwork
import Logging
import Synchronization

/// The log of what peers do, in which no peer can bury the rest: so many lines of one kind come from one
/// address in a minute. The others are counted, and one line says how many they were once the minute is
/// over.
final class PeerLog: Sendable {
  /// What happened.
  enum Kind: String, Sendable {
    case accepted = "associations accepted"
    case rejected = "associations rejected"
    case closed = "connections closed"
    case released = "associations released"
    case ended = "associations ended"
    case refused = "instances refused"
    case received = "instances received that were here before"
    case requests = "lines on requests"
  }

  private struct Key: Hashable {
    var kind: Kind
    var address: String
  }

  fileprivate struct Count {
    var began: ContinuousClock.Instant
    var lines = 0
    var more = 0
    /// Of those that were left out.
    var level = Logger.Level.trace
    var last = ""
  }

  private let logger: Logger
  /// Of the lines that are logged.
  var level: Logger.Level { logger.logLevel }
  private let lines: Int
  private let now: @Sendable () -> ContinuousClock.Instant
  private let counts = Mutex<[Key: Count]>([:])
  private static let period = Duration.seconds(60)
  /// Further addresses are counted together, so that their number costs no memory.
  private static let maximumCounts = 4096
  static let otherAddresses = "other addresses"

  /// - Parameters:
  ///   - logger: where lines go.
  ///   - lines: of a kind, from an address, in a minute.
  ///   - now: the time.
  init(
    _ logger: Logger, lines: Int,
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
  ) {
    self.logger = logger
    self.lines = lines
    self.now = now
  }

  /// Logs something, or counts it.
  ///
  /// - Parameters:
  ///   - kind: of what happened.
  ///   - level: of the line.
  ///   - line: what is said of it.
  ///   - association: whose it is; nil for a file of a watch folder.
  ///   - metadata: besides peer and address.
  func log(
    _ kind: Kind, _ level: Logger.Level, _ line: @autoclosure () -> String,
    of association: Association?, metadata: Logger.Metadata = [:]
  ) {
    guard level >= logger.logLevel else { return }
    var all = metadata
    if let association {
      all["peer"] = "\(association.callingAETitle)"
      all["address"] = "\(association.peerAddress)"
    }
    log(
      kind, level, line(), from: association?.peerAddress ?? "watch folders", metadata: all)
  }

  /// Logs something, or counts it, of an address.
  func log(
    _ kind: Kind, _ level: Logger.Level, _ line: String, from address: String,
    metadata: Logger.Metadata
  ) {
    guard level >= logger.logLevel else { return }
    let now = now()
    let (isWithin, summary) = counts.withLock { counts in
      let key = Self.key(kind, address, &counts, now)
      let over = counts[key].flatMap { now - $0.began >= Self.period ? $0 : nil }
      if over != nil { counts[key] = nil }
      let isWithin = counts[key, default: Count(began: now)].add(line, level, within: lines)
      return (isWithin, over.flatMap { Self.summary(of: $0, key) })
    }
    if let summary { logger.log(level: summary.level, "\(summary.line)") }
    if isWithin { logger.log(level: level, "\(line)", metadata: metadata) }
  }

  /// Says how many lines were left out in minutes that are over.
  ///
  /// - Parameter isEnd: also in those that are not over yet.
  func summarize(isEnd: Bool = false) {
    let now = now()
    let summaries = counts.withLock { counts in
      let over = counts.filter { isEnd || now - $0.value.began >= Self.period }
      for key in over.keys { counts[key] = nil }
      return over.compactMap { Self.summary(of: $0.value, $0.key) }
    }
    for summary in summaries.sorted(by: { $0.line < $1.line }) {
      logger.log(level: summary.level, "\(summary.line)")
    }
  }

  /// The key to count by. Counts that are over, with nothing left out, make room for others.
  private static func key(
    _ kind: Kind, _ address: String, _ counts: inout [Key: Count], _ now: ContinuousClock.Instant
  ) -> Key {
    let key = Key(kind: kind, address: address)
    guard counts[key] == nil, counts.count >= maximumCounts else { return key }
    counts = counts.filter { $0.value.more > 0 || now - $0.value.began < period }
    return counts.count < maximumCounts ? key : Key(kind: kind, address: otherAddresses)
  }

  private static func summary(of count: Count, _ key: Key) -> (
    level: Logger.Level, line: String
  )? {
    guard count.more > 0 else { return nil }
    return (
      count.level,
      "\(count.more) more \(key.kind.rawValue) from \(key.address), the last: \(count.last)"
    )
  }
}

extension PeerLog.Count {
  /// - Returns: whether the line is one of the first.
  fileprivate mutating func add(_ line: String, _ level: Logger.Level, within lines: Int) -> Bool {
    if self.lines < lines {
      self.lines += 1
      return true
    }
    more += 1
    last = line
    self.level = max(self.level, level)
    return false
  }
}
