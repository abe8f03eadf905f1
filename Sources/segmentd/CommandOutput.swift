import Foundation

/// Processors that this process may use.
var processorCount: Int { ProcessInfo.processInfo.activeProcessorCount }

/// Writes a line to standard error, which a script does not read.
func warn(_ text: String) {
  FileHandle.standardError.write(Data((text + "\n").utf8))
}

/// JSON for scripts: sorted keys, dates as ISO 8601.
func encodeJSON(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  encoder.dateEncodingStrategy = .iso8601
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}
