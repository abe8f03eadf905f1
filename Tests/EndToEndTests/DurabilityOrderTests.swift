import Foundation
import JobLedger
import TestSupport
import Testing

/// The system calls of the daemon, in order: when 0x0000 leaves, a loss of power changes nothing any more.
@Suite(
  .serialized, .limitedConcurrency,
  .enabled(if: SystemCalls.canBeTraced, "\(SystemCalls.cannotBeTraced)"))
struct DurabilityOrderTests {
  @Test(arguments: [1, 4])
  func fileFolderAndRowAreSyncedBeforeTheAnswer(associations: Int) async throws {
    let setup = try DaemonSetup(hasDestination: false)
    let trace = setup.folder.url.appendingPathComponent("trace")
    let daemon = try await setup.start(
      under: SystemCalls.tracing(
        into: trace, "openat,write,pwrite64,fsync,fdatasync,sendto,sendmsg,writev"))
    let (folders, series) = try await setup.makeAllSeries(associations, slices: 12, size: 32)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for folder in folders {
        group.addTask {
          let sent = try await setup.send(folder)
          #expect(sent.status == 0)
        }
      }
      try await group.waitForAll()
    }
    try await daemon.end(within: 900)

    let calls = try SystemCalls(trace)
    let ledger = try Ledger(path: setup.state.appendingPathComponent("ledger.sqlite").path)
    var checked = 0
    for uid in series {
      for instance in try ledger.instances(series: uid).current {
        try check(instance, calls, setup)
        checked += 1
      }
    }
    #expect(checked == 12 * associations)
  }

  private func check(_ instance: InstanceRecord, _ calls: SystemCalls, _ setup: DaemonSetup) throws
  {
    // A UID is followed by its padding in a response (PS3.7 9.3.1.2), and by another value in a row.
    let uid = instance.sopInstanceUID
    let answer = try #require(
      calls.calls.first { call in
        ["sendto", "sendmsg", "writev", "write"].contains(call.name)
          && call.text.contains("<TCP:") && Self.names(uid, in: call.text)
      }, "no answer for \(uid)")

    let file = setup.state.appendingPathComponent(instance.spoolPath)
    let written = try #require(calls.last("write", "pwrite64", containing: ["<\(file.path)>"]))
    let synced = try #require(
      calls.first("fsync", "fdatasync", containing: ["<\(file.path)>"], from: written.returned))
    #expect(synced.returned < answer.began, "\(uid): its file is not synced before the answer")

    let made = try #require(calls.first("openat", containing: ["\"\(file.path)\"", "O_CREAT"]))
    let folder = file.deletingLastPathComponent().path
    let entry = try #require(calls.first("fsync", containing: ["<\(folder)>"], from: made.returned))
    #expect(entry.returned < answer.began, "\(uid): its folder is not synced before the answer")

    let log = setup.state.appendingPathComponent("ledger.sqlite-wal").path
    let row = try #require(
      calls.calls.first { call in
        call.name == "pwrite64" && call.text.contains("<\(log)>")
          && call.text.contains(instance.contentHash)
      }, "no row for \(uid)")
    let committed = try #require(
      calls.first("fdatasync", "fsync", containing: ["<\(log)>"], from: row.returned))
    #expect(committed.returned < answer.began, "\(uid): its row is not synced before the answer")
  }

  /// Whether a text names the UID and not a longer one.
  private static func names(_ uid: String, in text: String) -> Bool {
    var rest = text[...]
    while let found = rest.range(of: uid) {
      let next = rest[found.upperBound...].first
      if next.map({ !$0.isNumber && $0 != "." }) ?? true { return true }
      rest = rest[found.upperBound...]
    }
    return false
  }
}
