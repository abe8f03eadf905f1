import Foundation
import Logging

/// Writes each event as a JSON object on a line of its own, for what collects logs.
///
/// `time`, `level`, `module` and `message`, and each value of the metadata as a text under its own name; one
/// that is called as one of these four is written as `metadata.NAME`.
struct JSONLogHandler: LogHandler {
  private static let ownKeys: Set<String> = ["time", "level", "module", "message"]

  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]
  private let write: @Sendable (Data) -> Void

  /// - Parameters:
  ///   - logLevel: the least that is written.
  ///   - write: takes a line with its end; called on any thread.
  init(logLevel: Logger.Level, write: @escaping @Sendable (Data) -> Void = Self.writeStandardError)
  {
    self.logLevel = logLevel
    self.write = write
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var line: [String: String] = [:]
    for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }) {
      line[Self.ownKeys.contains(key) ? "metadata.\(key)" : key] = "\(value)"
    }
    line["time"] = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    line["level"] = event.level.rawValue
    line["module"] = event.source
    line["message"] = "\(event.message)"
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // A dictionary of texts can always be encoded.
    guard var data = try? encoder.encode(line) else { return }
    data.append(UInt8(ascii: "\n"))
    write(data)
  }

  /// In one call, so that lines of two processes are not mixed. What cannot be written is lost, as with every
  /// log.
  private static func writeStandardError(_ data: Data) {
    data.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = Glibc.write(STDERR_FILENO, rest.baseAddress, rest.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return }
        rest = rest.dropFirst(count)
      }
    }
  }
}

extension Slice<UnsafeRawBufferPointer> {
  fileprivate var baseAddress: UnsafeRawPointer? {
    UnsafeRawBufferPointer(rebasing: self).baseAddress
  }
}
