import Foundation
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
    var reader = MultipartReader(boundary: boundary)
    var parts: [Part] = []
    let bytes = Array(body.utf8)
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

  @Test func theFirstDelimiterNeedsNoLineBreakBeforeIt() throws {
    #expect(try parts("--b\r\nA: 1\r\n\r\nx\r\n--b--", pieces: 3).map(\.data) == [Data("x".utf8)])
  }

  @Test(arguments: [
    "--b\r\nA: 1\r\n\r\nx", "--b\r\nA: 1\r\n\r\nx\r\n--b", "--b\r\nno field\r\n\r\nx\r\n--b--",
    "--bx\r\nA: 1\r\n\r\nx\r\n--b--", "",
  ]) func whatIsNotDelimitedIsAFault(body: String) {
    for size in [1, 5, 1000] {
      #expect(throws: MultipartReader.Fault.self) { try parts(body, pieces: size) }
    }
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
