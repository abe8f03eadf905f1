import Foundation

/// A job that does not fit in memory.
public struct MemoryShortage: Error, Sendable, Equatable, CustomStringConvertible {
  /// The job's predicted peak and what the process takes without it, in bytes.
  public var job: Int
  public var process: Int
  /// What there is for both.
  public var capacity: Int
  /// What sets this capacity.
  public var reason: String
  /// Whether waiting cannot help.
  public var isPermanent: Bool

  public var description: String {
    "the job needs \(gigabytes(job)) of memory at its peak beside the \(gigabytes(process)) in "
      + "use, \(gigabytes(job + process)) in all; \(reason) \(isPermanent ? "allows" : "leaves") "
      + gigabytes(capacity)
  }
}

private func gigabytes(_ bytes: Int) -> String {
  String(format: "%.2f GB", Double(bytes) / 1e9)
}

/// The memory that this process may use: what the configuration allows, the control group that it
/// runs in (cgroup v2 or v1) and the machine have.
public struct MemoryBudget: Sendable {
  /// Bytes for the whole process; nil for what the system has.
  private let limit: Int?
  private let system: SystemMemory

  public init(limit: Int? = nil) { self.init(limit: limit, system: SystemMemory()) }

  init(limit: Int?, system: SystemMemory) {
    self.limit = limit
    self.system = system
  }

  /// Checks that a job fits now.
  ///
  /// - Parameter job: the bytes that it takes at its peak beyond what the process has already.
  /// - Returns: what the process will have at its peak, in bytes.
  /// - Throws: ``MemoryShortage`` with the tightest bound.
  @discardableResult
  public func check(job: Int) throws(MemoryShortage) -> Int {
    let process = system.resident ?? 0
    func shortage(_ capacity: Int, _ reason: String, isPermanent: Bool) -> MemoryShortage {
      MemoryShortage(
        job: job, process: process, capacity: capacity, reason: reason, isPermanent: isPermanent)
    }
    var lasting: [(Int, String)] = []
    if let limit { lasting.append((limit, "the configured limit")) }
    if let group = system.groupLimit { lasting.append((group, "the control group's limit")) }
    if let total = system.total { lasting.append((total, "the machine")) }
    if let tightest = lasting.min(by: { $0.0 < $1.0 }), process + job > tightest.0 {
      throw shortage(tightest.0, tightest.1, isPermanent: true)
    }
    var present: [(Int, String)] = []
    if let free = system.groupFree { present.append((free + process, "the control group now")) }
    if let free = system.available { present.append((free + process, "the machine now")) }
    if let tightest = present.min(by: { $0.0 < $1.0 }), process + job > tightest.0 {
      throw shortage(tightest.0, tightest.1, isPermanent: false)
    }
    return process + job
  }

  /// The most memory that this process has had resident since its start, in bytes; nil where the
  /// system does not say (proc(5), VmHWM).
  public static var peakResident: Int? { SystemMemory().status("VmHWM") }
}

/// What Linux says of memory, in bytes; nil where it does not.
struct SystemMemory: Sendable {
  /// Where the file systems proc and sysfs are mounted.
  var root = "/"

  var resident: Int? { status("VmRSS") }
  var total: Int? { kilobytes("proc/meminfo", "MemTotal") }
  var available: Int? { kilobytes("proc/meminfo", "MemAvailable") }

  func status(_ key: String) -> Int? { kilobytes("proc/self/status", key) }

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
