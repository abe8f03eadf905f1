import Foundation

/// What Linux says of memory, in bytes; nil where it does not.
struct SystemMemory: Sendable {
  /// Where the file systems proc and sysfs are mounted.
  var root = "/"

  var resident: Int? { status("VmRSS") }
  var total: Int? { kilobytes("proc/meminfo", "MemTotal") }
  var available: Int? { kilobytes("proc/meminfo", "MemAvailable") }

  func status(_ key: String, of process: String = "self") -> Int? {
    kilobytes("proc/\(process)/status", key)
  }

  /// The least limit of the process's control group and those above it.
  var groupLimit: Int? { groups.compactMap(\.limit).min() }

  /// What the tightest of them has left; page cache that can be dropped counts as free.
  var groupFree: Int? {
    groups.compactMap { group in
      guard let limit = group.limit, let current = group.current else { return nil }
      return max(0, limit - current + (group.cache ?? 0))
    }.min()
  }

  private struct Group {
    var limit: Int?
    var current: Int?
    var cache: Int?
  }

  /// The process's control group and those above it (kernel's cgroup-v2 and cgroup-v1/memory).
  private var groups: [Group] {
    let lines = (text("proc/self/cgroup") ?? "").split(separator: "\n").map {
      $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
    }
    for line in lines where line.count == 3 {
      let isSecond = line[0] == "0" && line[1].isEmpty
      guard isSecond || line[1].split(separator: ",").contains("memory") else { continue }
      let base = isSecond ? "sys/fs/cgroup" : "sys/fs/cgroup/memory"
      let names =
        isSecond
        ? ("memory.max", "memory.current", "inactive_file")
        : ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
      var groups: [Group] = []
      var path = line[2].split(separator: "/").map(String.init)
      while true {
        let folder = ([base] + path).joined(separator: "/")
        let statistics = text("\(folder)/memory.stat")?.split(separator: "\n")
          .first { $0.hasPrefix(names.2 + " ") }
        groups.append(
          Group(
            limit: number("\(folder)/\(names.0)"), current: number("\(folder)/\(names.1)"),
            cache: statistics.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) }))
        if path.popLast() == nil { break }
      }
      if groups.contains(where: { $0.limit != nil }) { return groups }
    }
    return []
  }

  private func number(_ path: String) -> Int? {
    // "max" is no limit; version 1 writes a number beyond any machine's memory instead.
    text(path).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
      .flatMap { $0 < 1 << 60 ? $0 : nil }
  }

  private func kilobytes(_ path: String, _ key: String) -> Int? {
    let line = text(path)?.split(separator: "\n").first { $0.hasPrefix("\(key):") }
    let words = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }) ?? []
    return words.count >= 2 ? Int(words[1]).map { $0 * 1024 } : nil
  }

  private func text(_ path: String) -> String? {
    guard let data = FileManager.default.contents(atPath: root + path) else { return nil }
    return String(bytes: data, encoding: .utf8)
  }
}
