import Foundation

/// Splits a body of `multipart/related` (RFC 2046 5.1, RFC 2387) into its parts while it comes.
///
/// Strict: lines end with CRLF, and a header field without a name or a part without end is an error. The
/// text of a delimiter within a longer line is data like any other.
package struct MultipartReader {
  package enum Event: Equatable {
    /// A part begins; names of its header fields are in lower case.
    case part(headers: [String: String])
    /// More of its contents.
    case data(Data)
    case end
  }

  package struct Fault: Error, Equatable {
    package var reason: String

    package init(reason: String) { self.reason = reason }
  }

  private enum State { case preamble, headers, contents, epilogue }

  /// What a delimiter's text turns out to be by what follows it.
  private enum Delimiter {
    /// Of a part, whose header fields begin behind the given place.
    case part(Int)
    case last
    case data
    /// More has to come first.
    case open
  }

  /// Of the header fields of one part, and of what comes before the first.
  private static let maximumHeaderSize = 8 * 1024
  /// Of what follows the last delimiter.
  private static let maximumEpilogueSize = 64 * 1024
  /// Spaces may follow a delimiter in its line.
  private static let maximumPadding = 256

  private let delimiter: [UInt8]
  private var state = State.preamble
  private var buffer: [UInt8]
  /// Bytes of the buffer that have been handed on.
  private var start = 0
  private var partCount = 0
  private var epilogueSize = 0

  /// - Parameter boundary: without the hyphens before it.
  package init(boundary: String) {
    delimiter = Array("\r\n--\(boundary)".utf8)
    // The first delimiter may be without a line break before it.
    buffer = Array("\r\n".utf8)
  }

  /// Whether the closing delimiter has come.
  package var isComplete: Bool { state == .epilogue }

  /// Takes what came and tells what it means.
  ///
  /// - Throws: ``Fault``
  package mutating func take(_ data: Data) throws(Fault) -> [Event] {
    if state == .epilogue {
      try skip(data.count)
      return []
    }
    buffer.append(contentsOf: data)
    var events: [Event] = []
    while let found = try next() { events += found }
    buffer.removeFirst(start)
    start = 0
    if state == .epilogue {
      try skip(buffer.count)
      buffer = []
    }
    return events
  }

  private mutating func skip(_ count: Int) throws(Fault) {
    epilogueSize += count
    guard epilogueSize <= Self.maximumEpilogueSize else {
      throw Fault(reason: "more than \(Self.maximumEpilogueSize) bytes follow the last part")
    }
  }

  /// Nil where more has to come first.
  private mutating func next() throws(Fault) -> [Event]? {
    switch state {
    case .preamble: try preamble()
    case .headers: try headers()
    case .contents: try contents()
    case .epilogue: nil
    }
  }

  private mutating func preamble() throws(Fault) -> [Event]? {
    let found = place(of: delimiter)
    guard (found ?? buffer.count) - start <= Self.maximumHeaderSize else {
      throw Fault(reason: "no part begins within \(Self.maximumHeaderSize) bytes")
    }
    guard let found else { return nil }
    switch kind(ofDelimiterAt: found) {
    case .open: return nil
    case .data: start = found + 2
    case .last: throw Fault(reason: "there is no part")
    case .part(let header): begin(header)
    }
    return []
  }

  private mutating func contents() throws(Fault) -> [Event]? {
    guard let found = place(of: delimiter) else {
      // The end may be the beginning of a delimiter.
      let data = takeData(to: buffer.count - (delimiter.count - 1))
      return data.isEmpty ? nil : data
    }
    switch kind(ofDelimiterAt: found) {
    case .open:
      let data = takeData(to: found)
      return data.isEmpty ? nil : data
    case .data: return takeData(to: found + 2)
    case .last:
      let data = takeData(to: found)
      start = found + delimiter.count + 2
      state = .epilogue
      return data + [.end]
    case .part(let header):
      let data = takeData(to: found)
      begin(header)
      return data + [.end]
    }
  }

  private mutating func takeData(to end: Int) -> [Event] {
    guard end > start else { return [] }
    defer { start = end }
    return [.data(Data(buffer[start..<end]))]
  }

  private mutating func begin(_ header: Int) {
    start = header
    state = .headers
  }

  private func kind(ofDelimiterAt place: Int) -> Delimiter {
    var end = place + delimiter.count
    guard end + 2 <= buffer.count else { return .open }
    if buffer[end] == UInt8(ascii: "-"), buffer[end + 1] == UInt8(ascii: "-") { return .last }
    let limit = end + Self.maximumPadding
    while end < buffer.count, buffer[end] == 0x20 || buffer[end] == 0x09 { end += 1 }
    guard end <= limit else { return .data }
    if end < buffer.count, buffer[end] != 0x0D { return .data }
    guard end + 2 <= buffer.count else { return .open }
    // The line break stays, so that a part without fields ends as others do.
    return buffer[end + 1] == 0x0A ? .part(end) : .data
  }

  private mutating func headers() throws(Fault) -> [Event]? {
    let found = place(of: Array("\r\n\r\n".utf8))
    guard (found ?? buffer.count) - start <= Self.maximumHeaderSize else {
      throw Fault(
        reason: "the header of a part is longer than \(Self.maximumHeaderSize) bytes")
    }
    guard let found else { return nil }
    let text = String(decoding: buffer[start..<found], as: UTF8.self)
    var headers: [String: String] = [:]
    for line in text.components(separatedBy: "\r\n") where !line.isEmpty {
      guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else {
        throw Fault(reason: "a header field of a part has no name")
      }
      headers[line[..<colon].lowercased()] =
        line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    start = found + 4
    state = .contents
    partCount += 1
    // A part may be empty: then its delimiter begins with the line break before it.
    return [.part(headers: headers)]
  }

  /// Where a text that begins with a line break is next.
  private func place(of text: [UInt8]) -> Int? {
    buffer.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return nil }
      var place = start
      while place + text.count <= bytes.count {
        let candidates = bytes.count - text.count + 1 - place
        guard let found = memchr(base + place, 0x0D, candidates) else { return nil }
        place = UnsafeRawPointer(found) - base
        if memcmp(base + place, text, text.count) == 0 { return place }
        place += 1
      }
      return nil
    }
  }
}
