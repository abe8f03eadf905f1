import Logging
import Synchronization

/// Keeps what is logged, a line for each entry.
public final class LoggedLines: Sendable {
  private let all = Mutex<[String]>([])

  public init() {}

  /// Each `LEVEL: MESSAGE`, and ` of VALUE` where the entry has the wanted metadata.
  public var text: [String] { all.withLock { $0 } }

  /// A logger of level info whose entries are kept here.
  ///
  /// - Parameter key: of the metadata that a line has too.
  public func logger(naming key: String) -> Logger {
    Logger(label: "test") { _ in Handler(lines: self, key: key) }
  }

  private struct Handler: LogHandler {
    let lines: LoggedLines
    let key: String
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let value = event.metadata?[key].map { " of \($0)" } ?? ""
      lines.all.withLock { $0.append("\(event.level): \(event.message)\(value)") }
    }
  }
}
