import Foundation
import TestSupport
import Testing

@testable import DICOMweb

/// Bodies of parts, however the network cuts them into pieces.
@Suite struct MultipartReaderTests {
  private struct Part: Equatable {
    var headers: [String: String] = [:]
    var data = Data()
    var isWhole = false
  }

  private func parts(_ body: String, pieces: Int, boundary: String = "b") throws -> [Part] {
    try parts(bytes: Array(body.utf8), pieces: pieces, boundary: boundary)
  }

  private func parts(bytes: [UInt8], pieces: Int, boundary: String = "b") throws -> [Part] {
    var reader = MultipartReader(boundary: boundary)
    var parts: [Part] = []
    for start in stride(from: 0, to: bytes.count, by: pieces) {
      for event in try reader.take(Data(bytes[start..<min(start + pieces, bytes.count)])) {
        switch event {
        case .part(let headers): parts.append(Part(headers: headers))
        case .data(let data): parts[parts.count - 1].data.append(data)
        case .end: parts[parts.count - 1].isWhole = true
        }
      }
    }
    if !reader.isComplete { throw MultipartReader.Fault(reason: "no end") }
    return parts
  }

  @Test(arguments: 1...40) func piecesDoNotMatter(size: Int) throws {
    let body =
      "preamble\r\n--b\r\nContent-Type: application/dicom\r\nX: y:z\r\n\r\n12\r\n--3\r\n-\r\n"
      + "--b  \r\n\r\n\r\n--b\r\nA: 1\r\n\r\nlast\r\n--b--\r\nepilogue"
    let found = try parts(body, pieces: size)
    #expect(
      found.map(\.headers) == [["content-type": "application/dicom", "x": "y:z"], [:], ["a": "1"]])
    #expect(
      found.map { String(decoding: $0.data, as: UTF8.self) } == ["12\r\n--3\r\n-", "", "last"])
    #expect(found.map(\.isWhole) == [true, true, true])
  }

  @Test func aDamagedBodyMeansTheSameInAllPieces() {
    let text =
      "\r\n--b\r\nContent-Type: application/dicom\r\n\r\n12\r\n--3\r\n--b \r\n\r\n"
      + "\r\n--b--\r\n"
    let body = Array(text.utf8)
    var damage = RandomDamage()
    var read = 0
    for _ in 0..<2000 {
      let damaged = damage.damaged(body)
      let whole = try? parts(bytes: damaged, pieces: damaged.count)
      let pieces = 1 + damage.number(below: 20)
      #expect(whole == (try? parts(bytes: damaged, pieces: pieces)), "\(damaged), \(pieces)")
      if whole != nil { read += 1 }
    }
    #expect(read > 0 && read < 2000)
  }

  @Test func theFirstDelimiterNeedsNoLineBreakBeforeIt() throws {
    #expect(try parts("--b\r\nA: 1\r\n\r\nx\r\n--b--", pieces: 3).map(\.data) == [Data("x".utf8)])
  }

  @Test(arguments: [
    "--b\r\nA: 1\r\n\r\nx", "--b\r\nA: 1\r\n\r\nx\r\n--b", "--b\r\nno field\r\n\r\nx\r\n--b--",
    "--bx\r\nA: 1\r\n\r\nx\r\n--b--", "", "--b--\r\n", "--b\r\n: 1\r\n\r\nx\r\n--b--",
    "--b\nA: 1\n\nx\n--b--\n",
  ]) func whatIsNotDelimitedIsAFault(body: String) {
    for size in [1, 5, 1000] {
      #expect(throws: MultipartReader.Fault.self) { try parts(body, pieces: size) }
    }
  }

  /// The text of a delimiter in a longer line, in the middle of one, or after a lone line feed is data.
  @Test(arguments: [
    "\r\n--bx", "x--b\r\n", "\n--b\n", "\r--b\r", "\r\n--b \tx\r\n", "\r\n--b\rx", "\r\n-\r\n--",
    "\r\n\r\n--\r\n--bb--\r\n",
  ]) func delimitersWithinData(data: String) throws {
    let body = "--b\r\nA: 1\r\n\r\n\(data)\r\n--b--\r\n"
    for size in 1...body.utf8.count {
      let found = try parts(body, pieces: size)
      #expect(found.map(\.data) == [Data(data.utf8)], "\(size)")
      #expect(found.map(\.isWhole) == [true])
    }
  }

  /// A body of two pieces, cut at every position.
  @Test func everyCut() throws {
    let text = "\r\n--bo\r\nA: 1\r\n\r\n1\r\n--b\r\n2\r\n--bo \r\n\r\n3\r\n--bo--\r\n"
    let body = Data(text.utf8)
    for cut in 0...body.count {
      var reader = MultipartReader(boundary: "bo")
      var data = ["", ""]
      var count = 0
      for piece in [body.prefix(cut), body.dropFirst(cut)] {
        for event in try reader.take(Data(piece)) {
          switch event {
          case .part: count += 1
          case .data(let more): data[count - 1] += String(decoding: more, as: UTF8.self)
          case .end: break
          }
        }
      }
      #expect(reader.isComplete && count == 2 && data == ["1\r\n--b\r\n2", "3"], "\(cut)")
    }
  }

  /// Bytes of all values, among them every beginning of a delimiter.
  @Test func largeBinaryParts() throws {
    var data = Data()
    for index in 0..<300_000 {
      data.append(UInt8(truncatingIfNeeded: index &* 2_654_435_761 >> 7))
      if index % 1000 == 0 { data.append(Data("\r\n--boundary".utf8).prefix(index / 1000 % 12)) }
    }
    let body =
      Data("--boundary\r\n\r\n".utf8) + Data("\r\n".utf8) + data
      + Data("\r\n--boundary--".utf8)
    for size in [1 << 10, 65_521, body.count] {
      var reader = MultipartReader(boundary: "boundary")
      var found = Data()
      for start in stride(from: 0, to: body.count, by: size) {
        for event in try reader.take(body.subdata(in: start..<min(start + size, body.count))) {
          if case .data(let more) = event { found.append(more) }
        }
      }
      #expect(reader.isComplete && found == Data("\r\n".utf8) + data)
    }
  }

  @Test func whatFollowsTheLastPartIsBounded() throws {
    var reader = MultipartReader(boundary: "b")
    _ = try reader.take(Data("--b\r\nA: 1\r\n\r\nx\r\n--b--\r\n".utf8))
    _ = try reader.take(Data(count: 60_000))
    #expect(throws: MultipartReader.Fault.self) { try reader.take(Data(count: 10_000)) }
  }

  @Test func whatComesBeforeTheFirstPartIsBounded() {
    for body in [
      String(repeating: "x", count: 20_000), "--b\r\n" + String(repeating: "A: 1\r\n", count: 5000),
    ] {
      #expect(throws: MultipartReader.Fault.self) { try parts(body, pieces: 1000) }
    }
  }

  @Test func mediaTypesHaveQuotedParameters() {
    let type = MediaType(#"Multipart/Related; type="application/dicom"; boundary="a;b=c""#)
    #expect(type.name == "multipart/related")
    #expect(type.parameters == ["type": "application/dicom", "boundary": "a;b=c"])
    #expect(MediaType("text/html").parameters.isEmpty)
  }
}
