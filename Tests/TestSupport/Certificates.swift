import Foundation

/// Certificates made by the script, once for all tests.
public enum Certificates {
  public static let folder = Task {
    let folder = try TemporaryFolder()
    let script = TestFiles.package.appendingPathComponent(
      "Scripts/test-support/peers/certificates.sh")
    let made = try await runProcess("/bin/bash", [script.path, folder.url.path])
    guard made.status == 0 else { throw Failure(output: made.output) }
    return folder
  }

  struct Failure: Error { var output: String }

  public static func file(_ name: String) async throws -> String {
    try await folder.value.url.appendingPathComponent(name).path
  }
}
