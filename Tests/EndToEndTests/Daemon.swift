import Foundation
import TestSupport

/// The real binary, as the tests built it.
let segmentdBinary: String = {
  // The test bundle is next to the executable.
  Bundle.main.bundleURL.appendingPathComponent("segmentd").path
}()

/// Runs one command of segmentd to its end.
func segmentd(_ arguments: String..., within seconds: Double = 300) async throws -> ProcessResult {
  try await runProcess(segmentdBinary, arguments, within: seconds)
}

/// A job as `segmentd jobs --json` prints it.
struct JobRow: Decodable {
  struct Delivery: Decodable {
    var destination: String
    var state: String
    var attempts: Int
  }
  struct Object: Decodable {
    var kind: String
    var sopInstanceUID: String?
    var path: String
    var sha256: String?
  }
  var id: Int64
  var state: String
  var model: String
  var seriesInstanceUID: String
  var instances: Int
  var reason: String?
  var verdict: String?
  var verdictReasons: [String]
  var attempts: Int
  var objects: [Object]
  var deliveries: [Delivery]

  /// The DICOM segmentations of the result.
  var segmentations: [Object] { objects.filter { $0.kind == "seg" } }
  /// Of the first segmentation.
  var sopInstanceUID: String? { segmentations.first?.sopInstanceUID }
}

/// A configuration in a folder of its own, and the daemon that runs on it.
final class DaemonSetup: Sendable {
  let folder: TemporaryFolder
  let port: Int
  let destinationPort: Int
  var configuration: String { folder.url.appendingPathComponent("segmentd.yaml").path }
  var log: URL { folder.url.appendingPathComponent("segmentd.log") }
  var state: URL { folder.url.appendingPathComponent("state") }

  /// - Parameters:
  ///   - rules: the section of that name, in place of one rule for each of `models` by modality.
  ///   - more: further sections.
  init(
    models: [String: String] = ["CT": "untrained-tiny", "MR": "untrained-tiny-mr"],
    rules ownRules: String? = nil, more: String = "",
    assembly: String = "{quietSeconds: 1}", watch: URL? = nil,
    hasDestination: Bool = true
  ) throws {
    folder = try TemporaryFolder()
    port = try freePort()
    destinationPort = try freePort()
    let simple = models.sorted(by: <).map { "  - {model: \($1), modalities: [\($0)]}" }
    let rules = ownRules ?? "rules:\n" + simple.joined(separator: "\n")
    let bundles = TestFiles.fixtures.appendingPathComponent("models").path
    var text = """
      stateDirectory: \(folder.url.path)/state
      listener: {aeTitle: SEGMENTD, address: 127.0.0.1, port: \(port)}
      assembly: \(assembly)
      models: {directories: ["\(bundles)"]}
      \(rules)
      \(more)

      """
    if hasDestination {
      text += "destinations:\n"
      text += "  - {name: pacs, aeTitle: PACS, host: 127.0.0.1, port: \(destinationPort)}\n"
    }
    if let watch { text += "watch:\n  - {folder: \"\(watch.path)\", settleSeconds: 0.5}\n" }
    try text.write(toFile: configuration, atomically: true, encoding: .utf8)
  }

  /// Starts the daemon and waits until it answers C-ECHO.
  func start(environment: [String: String] = [:]) async throws -> ChildProcess {
    let daemon = try ChildProcess(
      segmentdBinary, ["serve", "--config", configuration], log: log, environment: environment)
    try await waitUntil("the listener", within: 300) {
      guard daemon.isRunning else { throw DaemonEnded(output: daemon.output) }
      return try await runProcess(
        "/usr/bin/echoscu", ["-aec", "SEGMENTD", "127.0.0.1", "\(self.port)"]
      ).status == 0
    }
    return daemon
  }

  /// Sends a folder with DCMTK's storescu.
  func send(_ series: URL) async throws -> ProcessResult {
    try await runProcess(
      "/usr/bin/storescu",
      ["-R", "-aec", "SEGMENTD", "+sd", "+r", "127.0.0.1", "\(port)", series.path])
  }

  func jobs() async throws -> [JobRow] {
    let result = try await segmentd("jobs", "--config", configuration, "--json")
    return try JSONDecoder().decode([JobRow].self, from: Data(result.output.utf8))
  }

  /// Waits until there are `count` jobs and all have ended.
  func endedJobs(_ count: Int = 1, within seconds: Double = 300) async throws -> [JobRow] {
    let ended = ["completed", "held", "discarded", "cancelled"]
    var last: [JobRow] = []
    try await waitUntil("\(count) ended jobs", within: seconds) {
      last = try await self.jobs()
      return last.count >= count && last.allSatisfy { ended.contains($0.state) }
    }
    return last
  }

  /// Waits until every result was delivered.
  func delivered(within seconds: Double = 300) async throws {
    try await waitUntil("the deliveries", within: seconds) {
      try await self.jobs().flatMap(\.deliveries).allSatisfy { $0.state == "delivered" }
    }
  }
}

struct DaemonEnded: Error, CustomStringConvertible {
  var output: String
  var description: String { "the daemon ended: \(output)" }
}
