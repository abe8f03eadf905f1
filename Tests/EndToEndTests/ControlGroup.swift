import Foundation
import TestSupport

/// A control group of the test's own with a limit of memory, version 1 or 2; it goes with this object.
final class ControlGroup: Sendable {
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
    do { try setLimit(limit) } catch {
      rmdir(folder)
      throw NotAvailable()
    }
  }

  deinit { rmdir(folder) }

  struct NotAvailable: Error {}

  static let isAvailable = (try? ControlGroup(limit: 1 << 30)) != nil

  /// - Parameter bytes: that all its processes may have together.
  func setLimit(_ bytes: Int) throws {
    let file = "\(folder)/\(isSecond ? "memory.max" : "memory.limit_in_bytes")"
    guard FileManager.default.isWritableFile(atPath: file) else { throw NotAvailable() }
    try "\(bytes)".write(toFile: file, atomically: false, encoding: .utf8)
  }

  /// A command that runs what follows it within the group.
  var wrapper: [String] {
    ["/bin/sh", "-c", "echo $$ > '\(folder)/cgroup.procs' && exec \"$@\"", "sh"]
  }

  /// Runs a command within the group.
  func run(_ command: [String]) async throws -> ProcessResult {
    try await runProcess(wrapper[0], Array(wrapper.dropFirst()) + command)
  }

  /// How many processes of the group the kernel has killed for memory.
  var kills: Int {
    let file = isSecond ? "memory.events" : "memory.oom_control"
    let text = (try? String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
      .flatMap { $0.split(separator: " ").last }.flatMap { Int($0) } ?? 0
  }
}
