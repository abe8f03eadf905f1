import Logging
import ServiceLifecycle
import TestSupport
import WebServer

extension HTTPServer {
  /// Runs it until something is done, or has failed.
  ///
  /// - Parameters:
  ///   - port: on which it listens.
  ///   - body: begins when the port is open.
  func run(at port: Int, while body: () async throws -> Void) async throws {
    let group = ServiceGroup(
      configuration: .init(services: [self], logger: Logger(label: "test")))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      try await waitUntil("the server") {
        try await runProcess("/bin/bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(port)"]).status == 0
      }
      let result: Result<Void, any Error>
      do { result = .success(try await body()) } catch { result = .failure(error) }
      await group.triggerGracefulShutdown()
      try await tasks.waitForAll()
      try result.get()
    }
  }
}
