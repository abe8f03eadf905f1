import Foundation
import TestSupport

/// The script of DICOM peers.
enum NetworkPeers {
  private static let script =
    TestFiles.package.appendingPathComponent("Scripts/test-support/peers/network_peers.py").path

  /// Runs one of its commands to the end.
  static func run(_ arguments: String...) async throws -> ProcessResult {
    try await run(arguments)
  }

  static func run(_ arguments: [String]) async throws -> ProcessResult {
    try await runProcess(testPython, [script] + arguments)
  }

  /// Starts one of its commands, which runs along with the test.
  static func start(_ arguments: [String], log: URL) throws -> ChildProcess {
    try ChildProcess(testPython, [script] + arguments, log: log)
  }
}

/// Small images, one file for each transfer syntax, made once for all tests.
enum Phantom {
  private static let folder = Task {
    let folder = try TemporaryFolder()
    let made = try await NetworkPeers.run("phantom", folder.url.path)
    guard made.status == 0 else { throw PhantomError(output: made.output) }
    return folder
  }

  static func file(_ name: String) async throws -> URL {
    try await folder.value.url.appendingPathComponent("\(name).dcm")
  }

  struct PhantomError: Error {
    var output: String
  }
}

/// The dataset of a DICOM file, without preamble and file meta information, whose first element
/// says how long the others are (PS3.10 7.1).
func datasetBytes(_ file: URL) throws -> Data {
  let bytes = try Data(contentsOf: file)
  let length = bytes[140..<144].reversed().reduce(0) { $0 << 8 | Int($1) }
  return bytes.dropFirst(144 + length)
}
