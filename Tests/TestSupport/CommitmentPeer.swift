import Foundation

/// What a peer saw of a request for storage commitment; see `commitment_peer.py`.
public struct CommitmentAnswer: Decodable, Sendable {
  public struct Report: Decodable, Sendable {
    public var eventType: Int
    public var transaction: String
    public var held: [String]
    public var failed: [String: Int]
    /// "same" or "new".
    public var over: String
  }

  /// Of the N-ACTION.
  public var status: Int
  public var asked: String
  public var reports: [Report]

  /// - Parameters:
  ///   - port: of the SCP.
  ///   - title: of the peer itself.
  ///   - ownPort: where it listens for reports.
  ///   - how: what becomes of its association.
  ///   - references: SOP class and instance of each object.
  public static func asking(
    _ port: Int, as title: String = "ASKER", at ownPort: Int, _ how: String,
    _ references: [(String, String)]
  ) async throws -> CommitmentAnswer {
    let script = TestFiles.package
      .appendingPathComponent("Scripts/test-support/peers/commitment_peer.py").path
    let result = try await runProcess(
      testPython,
      [script, "\(port)", "SEGMENTD", title, "\(ownPort)", how]
        + references.map { "\($0.0):\($0.1)" })
    guard result.status == 0, let start = result.output.firstIndex(of: "{") else {
      throw AskingFailed(output: result.output)
    }
    return try JSONDecoder().decode(Self.self, from: Data(result.output[start...].utf8))
  }

  struct AskingFailed: Error {
    var output: String
  }
}
