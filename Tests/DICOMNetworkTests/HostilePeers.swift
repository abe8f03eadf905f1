import Foundation
import TestSupport

/// The script of peers that break the rules.
enum HostilePeers {
  private static let script =
    TestFiles.package.appendingPathComponent("Scripts/test-support/peers/hostile_peers.py").path

  /// Runs one of its commands to the end.
  static func run(_ arguments: String...) async throws -> ProcessResult {
    try await runProcess(testPython, [script] + arguments)
  }

  /// Starts one of its commands, which runs along with the test.
  static func start(_ arguments: [String], log: URL) throws -> ChildProcess {
    try ChildProcess(testPython, [script] + arguments, log: log)
  }
}
