import Foundation
import TestSupport
import Testing

/// A control group of the test's own with a limit of memory, version 1 or 2; it goes with this object.
private final class ControlGroup: Sendable {
  private let folder: String
  private let isSecond: Bool

  /// - Throws: `NotAvailable` where this machine lets us make none.
  init(limit: Int) throws {
    let lines = try String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)
      .split(separator: "\n").map {
        $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
      }
    let first = lines.first { $0.count == 3 && $0[1] == "memory" }
    guard let own = first ?? lines.first(where: { $0.count == 3 && $0[0] == "0" }) else {
      throw NotAvailable()
    }
    isSecond = first == nil
    let base = isSecond ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory"
    folder = base + own[2] + (own[2].hasSuffix("/") ? "" : "/") + "segmentd-\(UUID().uuidString)"
    guard mkdir(folder, 0o755) == 0 else { throw NotAvailable() }
    let name = isSecond ? "memory.max" : "memory.limit_in_bytes"
    guard FileManager.default.isWritableFile(atPath: "\(folder)/\(name)"),
      (try? "\(limit)".write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8))
        != nil
    else {
      rmdir(folder)
      throw NotAvailable()
    }
  }

  deinit { rmdir(folder) }

  struct NotAvailable: Error {}

  static let isAvailable = (try? ControlGroup(limit: 1 << 30)) != nil

  /// Runs a command within the group.
  func run(_ command: [String]) async throws -> ProcessResult {
    try await runProcess(
      "/bin/sh", ["-c", "echo $$ > '\(folder)/cgroup.procs' && exec \"$@\"", "sh"] + command)
  }

  /// How many processes of the group the kernel has killed for memory.
  var kills: Int {
    let file = isSecond ? "memory.events" : "memory.oom_control"
    let text = (try? String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
      .flatMap { $0.split(separator: " ").last }.flatMap { Int($0) } ?? 0
  }
}

/// Within the limit of its control group segmentd segments or says that it cannot; the kernel never has to
/// end it.
@Suite(.serialized, .limitedConcurrency) struct ControlGroupTests {
  private struct Report: Decodable {
    struct Memory: Decodable {
      var predicted: Int
      var peak: Int
    }
    var state: String
    var reasons: [String]
    var memory: Memory?
  }

  private func report(_ result: ProcessResult) throws -> Report {
    let start = try #require(result.output.range(of: "[\n"), "\(result)").lowerBound
    let reports = try JSONDecoder().decode([Report].self, from: Data(result.output[start...].utf8))
    return try #require(reports.first)
  }

  @Test(.enabled(if: ControlGroup.isAvailable, "no control group can be made on this machine"))
  func isNeverKilledForMemory() async throws {
    let folder = try TemporaryFolder()
    let series = folder.url.appendingPathComponent("series")
    try await makeSeries(
      at: series, "--spacing", "0.8", "0.6", "0.6", "--slices", "120", "--size", "256")
    let models = TestFiles.fixtures.appendingPathComponent("models").path
    let command = [
      segmentdBinary, "run", "--model", "untrained-tiny", "--models", models, "--output",
      folder.url.path + "/results", "--json", series.path,
    ]
    let free = try report(try await runProcess(command[0], Array(command.dropFirst())))
    let memory = try #require(free.memory)
    var states: [String] = []
    for share in [0.7, 0.9, 1.02, 1.3] {
      let group = try ControlGroup(limit: Int(Double(memory.predicted) * share))
      let result = try await group.run(command)
      #expect(group.kills == 0, "killed at \(share) of what was predicted: \(result)")
      guard group.kills == 0 else { continue }
      let found = try report(result)
      states.append(found.state)
      if found.state == "held" {
        #expect(found.reasons.contains { $0.contains("control group") }, "\(found.reasons)")
      }
    }
    print("control group: predicted \(memory.predicted), peak \(memory.peak), \(states)")
    #expect(states.first == "held" && states.last == "segmented", "\(states)")
  }
}
