import Foundation
import TestSupport
import Testing

@testable import SeriesProcessing

@Suite struct MemoryBudgetTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try write("proc/meminfo", "MemTotal:       16000 kB\nMemAvailable:    6000 kB\n")
    try write("proc/self/status", "Name:\tx\nVmHWM:\t    900 kB\nVmRSS:\t    500 kB\n")
  }

  private var system: SystemMemory { SystemMemory(root: folder.url.path + "/") }

  private func write(_ path: String, _ text: String) throws {
    let file = folder.url.appendingPathComponent(path)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
  }

  private func shortage(_ kilobytes: Int, limit: Int? = nil) -> MemoryShortage? {
    do {
      try MemoryBudget(limit: limit.map { $0 * 1024 }, system: system).check(job: kilobytes * 1024)
      return nil
    } catch { return error }
  }

  @Test func theMachineBoundsAJob() {
    #expect(shortage(6000) == nil)
    #expect(shortage(6001)?.isPermanent == false)
    #expect(shortage(15_500)?.isPermanent == false)
    #expect(shortage(15_501)?.isPermanent == true)
  }

  @Test func theConfiguredLimitIsForTheWholeProcess() {
    #expect(shortage(1500, limit: 2000) == nil)
    let found = shortage(1501, limit: 2000)
    #expect(found?.isPermanent == true)
    #expect(found?.capacity == 2000 * 1024)
    #expect("\(found.map(String.init(describing:)) ?? "")".contains("the configured limit allows"))
  }

  /// What is kept of jobs that have ended is given back: waiting may help.
  @Test func whatTheProcessTookSinceItsStartIsNoLastingBound() throws {
    let budget = MemoryBudget(limit: 2000 * 1024, system: system)
    try write("proc/self/status", "Name:\tx\nVmRSS:\t    800 kB\n")
    let now = #expect(throws: MemoryShortage.self) { try budget.check(job: 1500 * 1024) }
    #expect(now?.isPermanent == false)
    let never = #expect(throws: MemoryShortage.self) { try budget.check(job: 1501 * 1024) }
    #expect(never?.isPermanent == true)
  }

  /// Two that fit alone do not fit together; the second one fits once the first has ended.
  @Test func jobsSideBySideShareTheMemory() throws {
    let budget = MemoryBudget(limit: 2000 * 1024, system: system)
    var first: MemoryReservation? = try budget.reserve(job: 1000 * 1024)
    #expect(first?.peak == 1500 * 1024)
    // It fits once the other one has ended.
    let shortage = #expect(throws: MemoryShortage.self) { try budget.reserve(job: 501 * 1024) }
    #expect(shortage?.isPermanent == false)
    let never = #expect(throws: MemoryShortage.self) { try budget.reserve(job: 2001 * 1024) }
    #expect(never?.isPermanent == true)
    var second: MemoryReservation? = try budget.reserve(job: 500 * 1024)
    #expect(second?.peak == 2000 * 1024)
    first = nil
    #expect(try budget.reserve(job: 1000 * 1024).peak == 2000 * 1024)
    second = nil
    #expect(try budget.reserve(job: 1500 * 1024).peak == 2000 * 1024)
  }

  /// The tightest group above the process counts, and droppable cache is free.
  @Test func theControlGroupBoundsAJob() throws {
    try write("proc/self/cgroup", "0::/a/b\n")
    try write("sys/fs/cgroup/a/b/memory.max", "max\n")
    try write("sys/fs/cgroup/a/memory.max", "\(4000 * 1024)\n")
    try write("sys/fs/cgroup/a/memory.current", "\(2500 * 1024)\n")
    try write("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file \(1000 * 1024)\n")
    #expect(shortage(2500) == nil)
    #expect(shortage(2501)?.isPermanent == false)
    #expect(shortage(3501)?.isPermanent == true)
  }

  @Test func theFirstVersionOfControlGroupsIsRead() throws {
    try write("proc/self/cgroup", "5:cpu:/\n4:memory:/box\n0::/\n")
    try write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    try write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "\(3000 * 1024)\n")
    try write("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "\(1000 * 1024)\n")
    #expect(shortage(2000) == nil)
    #expect(shortage(2001)?.isPermanent == false)
  }

  @Test func thisSystemIsRead() throws {
    let system = SystemMemory()
    let (total, available) = (try #require(system.total), try #require(system.available))
    #expect(total > available)
    let (peak, resident) = (try #require(MemoryBudget.peakResident), try #require(system.resident))
    #expect(peak >= resident / 2)
  }
}
