import AsyncHTTPClient
import DICOM
import FileSystem
import Foundation
import NIOCore

/// What a server answered to a Store transaction of one object.
public struct StoreAnswer: Sendable, Equatable {
  /// Of HTTP.
  public var status: Int
  /// Seconds that the server asks to wait.
  public var retryAfter: Double?
  /// Where a redirection points.
  public var location: String?
  /// Nil where the body is none that can be read.
  public var response: StoreInstancesResponse?
  /// Whether there is no body, or one in XML, which is not read.
  public var saysNothing = false
}

extension DICOMwebClient {
  /// Stores an object (STOW-RS, PS3.18 10.5), a file of PS3.10 as it is.
  ///
  /// - Returns: what the server answered, whatever its status.
  /// - Throws: ``DICOMwebError`` where no answer came or the file cannot be read.
  public func store(_ file: URL) async throws(DICOMwebError) -> StoreAnswer {
    let body = try ObjectBody(file)
    var request = try request("studies", [])
    request.method = .POST
    request.headers.replaceOrAdd(name: "Accept", value: "application/dicom+json")
    request.headers.replaceOrAdd(
      name: "Content-Type",
      value: #"multipart/related; type="application/dicom"; boundary="\#(body.boundary)""#)
    request.body = .stream(body, length: .known(body.length))
    let (head, text) = try await connections.answer(
      to: request, duration: limits.duration, maximum: limits.listBytes)
    return StoreAnswer(
      status: head.status, retryAfter: head.retryAfter, location: head.location,
      response: StoreInstancesResponse(json: text),
      saysNothing: text.isEmpty || head.contentType.contains("application/dicom+xml"))
  }
}

/// A body of `multipart/related` (RFC 2387) with one object, read from its file while it is sent.
private struct ObjectBody: AsyncSequence, Sendable {
  typealias Element = ByteBuffer

  let boundary = "segmentd-\(UUID().uuidString)"
  let length: Int64
  private let file: URL
  private let head: String
  private let tail: String
  private static let pieceSize = 256 * 1024

  init(_ file: URL) throws(DICOMwebError) {
    self.file = file
    head = "--\(boundary)\r\nContent-Type: application/dicom\r\n\r\n"
    tail = "\r\n--\(boundary)--\r\n"
    do {
      let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
      let size = (attributes[.size] as? NSNumber)?.int64Value ?? 0
      length = size + Int64(head.utf8.count + tail.utf8.count)
    } catch {
      throw .notRead(path: file.path, reason: SystemError.text(of: error))
    }
  }

  struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let body: ObjectBody
    private var handle: FileHandle?
    private var isOver = false

    fileprivate init(_ body: ObjectBody) { self.body = body }

    mutating func next() async throws -> ByteBuffer? {
      guard !isOver else { return nil }
      guard let handle else {
        self.handle = try FileHandle(forReadingFrom: body.file)
        return ByteBuffer(string: body.head)
      }
      if let data = try handle.read(upToCount: ObjectBody.pieceSize), !data.isEmpty {
        return ByteBuffer(data: data)
      }
      try handle.close()
      isOver = true
      return ByteBuffer(string: body.tail)
    }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}
