import Foundation

/// Splits a body of `multipart/related` (RFC 2046 5.1, RFC 2387) into its parts while it comes.
///
/// Strict: what is not delimited as it should be is an error, as is a part without end.
struct MultipartReader {
  enum Event: Equatable {
    /// A part begins; names of its header fields are in lower case.
    case part(headers: [String: String])
    /// More of its contents.
    case data(Data)
    case end
  }

  struct Fault: Error, Equatable {
    var reason: String
  }

  private enum State { case preamble, headers, contents, epilogue }

  /// Of the header fields of one part.
  private static let maximumHeaderSize = 8 * 1024

  private let delimiter: Data
  private var state = State.preamble
  private var buffer: Data

  init(boundary: String) {
    delimiter = Data("\r\n--\(boundary)".utf8)
    // The first delimiter may be without a line break before it.
    buffer = Data("\r\n".utf8)
  }

  /// Whether the closing delimiter has come.
  var isComplete: Bool { state == .epilogue }

  /// Takes what came and tells what it means.
  ///
  /// - Throws: ``Fault``
  mutating func take(_ data: Data) throws(Fault) -> [Event] {
    guard state != .epilogue else { return [] }
    buffer.append(data)
    var events: [Event] = []
    while let event = try next() { events += event }
    return events
  }

  /// Nil where more has to come first.
  private mutating func next() throws(Fault) -> [Event]? {
    switch state {
    case .preamble: try delimited()
    case .contents: try contents()
    case .headers: try headers()
    case .epilogue: nil
    }
  }

  private mutating func delimited() throws(Fault) -> [Event]? {
    guard let range = buffer.range(of: delimiter) else {
      guard buffer.count <= Self.maximumHeaderSize else {
        throw Fault(reason: "no part begins within \(Self.maximumHeaderSize) bytes")
      }
      return nil
    }
    return try afterDelimiter(range, events: [])
  }

  private mutating func contents() throws(Fault) -> [Event]? {
    guard let range = buffer.range(of: delimiter) else {
      // The end may be the beginning of a delimiter.
      let certain = buffer.count - (delimiter.count - 1)
      guard certain > 0 else { return nil }
      let data = Data(buffer.prefix(certain))
      buffer = Data(buffer.dropFirst(certain))
      return [.data(data)]
    }
    let data = Data(buffer[buffer.startIndex..<range.lowerBound])
    return try afterDelimiter(range, events: (data.isEmpty ? [] : [.data(data)]) + [.end])
  }

  /// Goes on behind a delimiter: with a part, or with nothing after the last one.
  private mutating func afterDelimiter(_ range: Range<Data.Index>, events: [Event]) throws(Fault)
    -> [Event]?
  {
    let rest = buffer[range.upperBound...]
    guard rest.count >= 2 else { return nil }
    if rest.starts(with: Data("--".utf8)) {
      state = .epilogue
      buffer = Data()
      return events
    }
    // Spaces may follow a delimiter in its line.
    let line = rest.drop { $0 == 0x20 || $0 == 0x09 }
    guard line.count >= 2 else {
      guard rest.count < 256 else { throw Fault(reason: "a delimiter does not end") }
      return nil
    }
    guard line.starts(with: Data("\r\n".utf8)) else {
      throw Fault(reason: "a delimiter does not end with its line")
    }
    state = .headers
    // The line break stays, so that a part without fields ends as others do.
    buffer = Data(line)
    return events
  }

  private mutating func headers() throws(Fault) -> [Event]? {
    guard let end = buffer.range(of: Data("\r\n\r\n".utf8)) else {
      guard buffer.count <= Self.maximumHeaderSize else {
        throw Fault(reason: "the header of a part is longer than \(Self.maximumHeaderSize) bytes")
      }
      return nil
    }
    let text = String(decoding: buffer[buffer.startIndex..<end.lowerBound], as: UTF8.self)
    buffer = Data(buffer[end.upperBound...])
    var headers: [String: String] = [:]
    for line in text.components(separatedBy: "\r\n") where !line.isEmpty {
      guard let colon = line.firstIndex(of: ":") else {
        throw Fault(reason: "a header field of a part has no name")
      }
      headers[line[..<colon].lowercased()] =
        line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    state = .contents
    // A part may be empty: then its delimiter begins with the line break before it.
    return [.part(headers: headers)]
  }
}

/// A media type with its parameters (RFC 9110 8.3.1).
struct MediaType: Equatable {
  var name: String
  /// Names in lower case.
  var parameters: [String: String] = [:]

  init(_ text: String) {
    var parts: [String] = [""]
    var isQuoted = false
    for character in text {
      switch character {
      case "\"": isQuoted.toggle()
      case ";" where !isQuoted: parts.append("")
      default: parts[parts.count - 1].append(character)
      }
    }
    name = parts[0].trimmingCharacters(in: .whitespaces).lowercased()
    for part in parts.dropFirst() {
      guard let equals = part.firstIndex(of: "=") else { continue }
      let key = part[..<equals].trimmingCharacters(in: .whitespaces).lowercased()
      parameters[key] = part[part.index(after: equals)...].trimmingCharacters(in: .whitespaces)
    }
  }
}
