import FileSystem
import Foundation
import Synchronization

/// One end of a connection between two processes of a daemon, which carries values as lines of JSON. Where
/// either process ends, however it does, the other one reads the end of the connection.
final class MessageChannel: Sendable {
  private let descriptor: Int32
  /// What was read and is no whole line yet; held by whoever reads.
  private let pending = Mutex(Data())
  private let writing = Mutex(())

  /// - Parameter descriptor: of a connected socket, which belongs to the channel from now on.
  init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// A connection, of which the second end is for a child.
  static func pair() throws(SystemError) -> (MessageChannel, theirs: Int32) {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw SystemError() }
    return (MessageChannel(ends[0]), ends[1])
  }

  /// Whether a descriptor is a socket.
  static func isSocket(_ descriptor: Int32) -> Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
  }

  /// Sends a value; nothing happens where the other process has ended, which its reader learns.
  func send(_ message: some Encodable) throws {
    var bytes = try JSONEncoder().encode(message)
    bytes.append(UInt8(ascii: "\n"))
    writing.withLock { _ in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = rest.withUnsafeBytes {
          Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return }
        rest = rest.dropFirst(count)
      }
    }
  }

  /// Waits for the next value; nil where the other process has ended.
  func receive<Message: Decodable>(_ type: Message.Type) throws -> Message? {
    guard let line = pending.withLock({ nextLine(&$0) }) else { return nil }
    return try JSONDecoder().decode(type, from: line)
  }

  private func nextLine(_ pending: inout Data) -> Data? {
    while true {
      if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
        defer { pending = Data(pending[(end + 1)...]) }
        return Data(pending[..<end])
      }
      var buffer = [UInt8](repeating: 0, count: 65_536)
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return nil }
      pending.append(contentsOf: buffer[..<count])
    }
  }

  /// The values as they come, until the other process ends. Nobody else may receive meanwhile.
  func messages<Message: Decodable & Sendable>(_ type: Message.Type) -> AsyncStream<Message> {
    let (stream, continuation) = AsyncStream.makeStream(of: Message.self)
    Thread.detachNewThread {
      while let message = (try? self.receive(type)) ?? nil { continuation.yield(message) }
      continuation.finish()
    }
    return stream
  }
}
