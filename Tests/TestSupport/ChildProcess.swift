import Foundation
import Synchronization

/// What a finished program left behind.
public struct ProcessResult: Sendable {
  public var status: Int32
  /// Standard output and standard error, together.
  public var output: String
}

/// A program that runs along with the test and is killed with it.
public final class ChildProcess: Sendable {
  private let process = Process()
  private let log: URL

  public init(
    _ executable: String, _ arguments: [String], log: URL, environment: [String: String] = [:]
  ) throws {
    self.log = log
    _ = FileManager.default.createFile(atPath: log.path, contents: nil)
    let handle = try FileHandle(forWritingTo: log)
    try handle.seekToEnd()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardOutput = handle
    process.standardError = handle
    process.standardInput = FileHandle.nullDevice
    try process.run()
    // The child has its own. Foundation never closes ours, and with more than a thousand open files its
    // search for them reads beyond the end of its buffer.
    try handle.close()
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  public var isRunning: Bool { process.isRunning }
  /// Its number, as /proc has it.
  public var pid: Int32 { process.processIdentifier }
  public var output: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

  /// Sends a signal and waits for the end.
  ///
  /// - Returns: the exit status, or the number of the signal that ended it.
  @discardableResult
  public func end(_ signal: Int32 = SIGTERM, within seconds: Double = 1800) async throws -> Int32 {
    if process.isRunning { kill(process.processIdentifier, signal) }
    let deadline = Date(timeIntervalSinceNow: seconds)
    while process.isRunning {
      guard Date() < deadline else {
        kill(process.processIdentifier, SIGKILL)
        throw TimeoutError(what: "the end of \(process.executableURL?.lastPathComponent ?? "")")
      }
      try await Task.sleep(for: .milliseconds(20))
    }
    return process.terminationStatus
  }
}

/// Runs a program to its end; one in Python in a fork of a process that has imported what it needs.
public func runProcess(
  _ executable: String, _ arguments: [String], environment: [String: String] = [:],
  within seconds: Double = 1800
) async throws -> ProcessResult {
  if executable == testPython, environment.isEmpty, arguments.first != "-m" {
    return try await PythonServer.run(arguments, within: seconds)
  }
  let folder = try TemporaryFolder()
  let child = try ChildProcess(
    executable, arguments, log: folder.url.appendingPathComponent("output"),
    environment: environment)
  try await waitUntil("the end of \(executable)", within: seconds) { !child.isRunning }
  let result = ProcessResult(status: try await child.end(), output: child.output)
  if executable.hasSuffix("/segmentd") { try await PrintedJSON.check(arguments, result) }
  return result
}

public struct TimeoutError: Error, CustomStringConvertible {
  var what: String
  public var description: String { "timed out waiting for \(what)" }
}

/// Polls until the condition holds.
public func waitUntil(
  _ what: String, within seconds: Double = 1800, _ condition: () async throws -> Bool
) async throws {
  let deadline = Date(timeIntervalSinceNow: seconds)
  // Asking may start a program: a quarter of the time of all tests was spent on it without the growth.
  var pause = 0.05
  while try await !condition() {
    guard Date() < deadline else { throw TimeoutError(what: what) }
    try await Task.sleep(for: .seconds(pause))
    pause = min(1, 1.4 * pause)
  }
}

/// Below those that the system gives to outgoing connections by itself (ip_local_port_range), each handed out
/// once: what is free now may be another test's before it is used.
private let ports = Mutex((20_000..<32_000).shuffled())

/// A TCP port on loopback that is not in use.
public func freePort() throws -> Int {
  while let port = ports.withLock({ $0.popLast() }) {
    if isFree(port) { return port }
  }
  throw TimeoutError(what: "a free port")
}

private func isFree(_ port: Int) -> Bool {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = inet_addr("127.0.0.1")
  address.sin_port = in_port_t(port).bigEndian
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
}

/// The Python of the test environment, which `Scripts/test.sh` makes.
public let testPython = TestFiles.package.appendingPathComponent(".venv/bin/python3").path
