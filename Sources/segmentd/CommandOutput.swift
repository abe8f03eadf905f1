import Foundation
import SeriesReading

/// Writes a line to standard error, out of the way of scripts. Where that is a file on a full disk, nothing is written.
func warn(_ text: String) {
  try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
}

/// Names what a scan refused, and counts what it passed over.
func warn(about scan: InputScan) {
  for line in RefusalSummary(scan.refused).lines { warn(line) }
  for (reason, entries) in Dictionary(grouping: scan.passedOver, by: \.reason)
    .sorted(by: { $0.key < $1.key })
  {
    let named = entries.prefix(3).map(\.path).joined(separator: ", ")
    let more = entries.count > 3 ? " and \(entries.count - 3) more" : ""
    warn("passed over, \(reason): \(entries.count) (\(named)\(more))")
  }
}

/// JSON for scripts: sorted keys, dates as ISO 8601.
func encodeJSON(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  encoder.dateEncodingStrategy = .iso8601
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}

/// Lines up the columns of a table; the last one may be of any length.
func formatTable(_ rows: [[String]]) -> String {
  let count = rows.map(\.count).max() ?? 0
  let widths = (0..<count).map { column in
    rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
  }
  return rows.map { row in
    row.enumerated().map { column, text in
      column == count - 1
        ? text : text.padding(toLength: widths[column], withPad: " ", startingAt: 0)
    }.joined(separator: "  ")
  }.joined(separator: "\n")
}
