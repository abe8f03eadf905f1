import Foundation

/// Runs the tests' Python programs in forks of one process that has imported their packages; see
/// `python_server.py`. It ends with the tests.
final class PythonServer: Sendable {
  /// Of all tests of this process; it is started by the first that asks.
  private static let shared = Task { try await PythonServer() }

  private let socket: URL
  private let process: ChildProcess

  private init() async throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("segmentd-python-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let socket = folder.appendingPathComponent("socket")
    let script = TestFiles.package.appendingPathComponent("Scripts/test-support/python_server.py")
    process = try ChildProcess(
      testPython, [script.path, socket.path], log: folder.appendingPathComponent("log"))
    self.socket = socket
    try await waitUntil("the server of Python programs") { [process] in
      guard process.isRunning else { throw Ended(output: process.output) }
      return (try? Self.connect(to: socket)).map { close($0) } != nil
    }
  }

  private struct Ended: Error { var output: String }

  private struct Request: Encodable {
    var arguments: [String]
    var output: String
  }

  /// Runs a program to its end.
  ///
  /// - Parameter arguments: as of `python3`, which begin with a script, `-c` or `-W ignore`.
  /// - Throws: `TimeoutError`.
  static func run(_ arguments: [String], within seconds: Double) async throws -> ProcessResult {
    let server = try await shared.value
    let folder = try TemporaryFolder()
    let output = folder.url.appendingPathComponent("output")
    let request = try JSONEncoder().encode(
      Request(arguments: arguments, output: output.path))
    let connection = try connect(to: server.socket)
    defer { close(connection) }
    try FileHandle(fileDescriptor: connection).write(contentsOf: request + Data("\n".utf8))
    var answer = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
    try await waitUntil("the end of \(arguments[0])", within: seconds) {
      poll(&answer, 1, 0) > 0
    }
    let status = try FileHandle(fileDescriptor: connection).readToEnd() ?? Data()
    guard let status = Int32(String(decoding: status, as: UTF8.self).dropLast()) else {
      throw Ended(output: server.process.output)
    }
    let text = (try? Data(contentsOf: output)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    return ProcessResult(status: status, output: text)
  }

  private static func connect(to file: URL) throws -> Int32 {
    let descriptor = Glibc.socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { path in
      path.copyBytes(from: file.path.utf8.prefix(path.count - 1))
    }
    let status = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard status == 0 else {
      close(descriptor)
      throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .ECONNREFUSED)
    }
    return descriptor
  }
}
