import AsyncHTTPClient
import FileSystem
import Foundation
import NIOCore

/// A part of a body that is sent.
public enum UploadPart: Sendable {
  case bytes(Data)
  /// A file, of which so many bytes are sent.
  case file(URL, byteCount: Int)

  fileprivate var byteCount: Int {
    switch self {
    case .bytes(let data): data.count
    case .file(_, let count): count
    }
  }
}

/// What a server answered to an upload.
public struct UploadAnswer: Sendable, Equatable {
  /// Of HTTP.
  public var status: Int
  public var body: Data
}

extension DICOMwebClient {
  /// Sends a body to a path of the service that is none of DICOMweb's. It is read from its files while it is sent.
  ///
  /// - Parameters:
  ///   - parts: of the body, one behind the other.
  ///   - path: relative to the service's address.
  ///   - type: media type of the body.
  /// - Returns: what the server answered, whatever its status.
  /// - Throws: ``DICOMwebError`` where no answer came or a file cannot be read.
  public func upload(
    _ parts: [UploadPart], to path: String, type: String
  ) async throws(DICOMwebError) -> UploadAnswer {
    var request = try request(path, [])
    request.method = .POST
    request.headers.replaceOrAdd(name: "Accept", value: "application/json")
    request.headers.replaceOrAdd(name: "Content-Type", value: type)
    let length = parts.reduce(0) { $0 + $1.byteCount }
    request.body = .stream(UploadBody(parts: parts), length: .known(Int64(length)))
    let (head, body) = try await connections.answer(
      to: request, duration: limits.duration, maximum: limits.listBytes)
    return UploadAnswer(status: head.status, body: body)
  }
}

/// Parts one behind the other, in pieces.
private struct UploadBody: AsyncSequence, Sendable {
  typealias Element = ByteBuffer
  let parts: [UploadPart]
  static let pieceSize = 256 * 1024

  struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate var parts: ArraySlice<UploadPart>
    /// The file in hand, and how much of it is still to be sent.
    private var file: (handle: FileHandle, rest: Int)?

    fileprivate init(_ parts: [UploadPart]) { self.parts = parts[...] }

    mutating func next() async throws -> ByteBuffer? {
      while true {
        if let (handle, rest) = file {
          let data = try handle.read(upToCount: Swift.min(rest, UploadBody.pieceSize)) ?? Data()
          // A file that became shorter ends the request, as it has not the length that it said.
          guard !data.isEmpty else { throw SystemError(EIO) }
          file = data.count < rest ? (handle, rest - data.count) : nil
          if file == nil { try handle.close() }
          return ByteBuffer(data: data)
        }
        switch parts.popFirst() {
        case nil: return nil
        case .bytes(let data)?: if !data.isEmpty { return ByteBuffer(data: data) }
        case .file(let url, let count)?:
          if count > 0 { file = (try FileHandle(forReadingFrom: url), count) }
        }
      }
    }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(parts) }
}
