import Foundation
import GRDB
import TestSupport
import Testing

@testable import JobLedger

/// The same numbers each time (Knuth's MMIX), so that a failure comes again.
private struct Linear: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state
  }
}

@Suite struct LedgerFileTests {
  @Test func everyCommitIsSynced() throws {
    let ledger = try LedgerFixture().ledger
    for (name, expected) in [("synchronous", "2"), ("journal_mode", "wal"), ("foreign_keys", "1")] {
      let inWrite = try ledger.write { db in try String.fetchOne(db, sql: "PRAGMA \(name)") }
      let inRead = try ledger.read { db in try String.fetchOne(db, sql: "PRAGMA \(name)") }
      #expect(inWrite == expected && inRead == expected, "\(name)")
    }
  }

  @Test(arguments: ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"])
  func onlyItsOwnerReadsIt(name: String) throws {
    let folder = try TemporaryFolder()
    // A file that was made readable by others is made private again.
    try Data().write(to: URL(fileURLWithPath: folder.path("ledger.sqlite")))
    chmod(folder.path("ledger.sqlite"), 0o644)
    let ledger = try Ledger(path: folder.path("ledger.sqlite"))
    _ = try ledger.recordInstance(.test(1))
    let attributes = try FileManager.default.attributesOfItem(atPath: folder.path(name))
    #expect(attributes[.posixPermissions] as? Int == 0o600)
  }

  @Test func aLedgerIsOpenedAgainAsItWas() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    do { _ = try Ledger(path: path).recordInstance(.test(1)) }
    let ledger = try Ledger(path: path)
    #expect(try ledger.instances(series: "1.2.3").all.count == 1)
    try ledger.checkIntegrity()
  }

  /// The daemon and a command may be the first at the same time.
  @Test func manyMayCreateItTogether() async throws {
    for _ in 0..<5 {
      let folder = try TemporaryFolder()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<8 {
          group.addTask {
            _ = try Ledger(path: folder.path("ledger.sqlite")).recordInstance(.test(number))
          }
        }
        try await group.waitForAll()
      }
      let ledger = try Ledger(path: folder.path("ledger.sqlite"))
      #expect(try ledger.instances(series: "1.2.3").all.count == 8)
    }
  }

  /// Root may write everywhere but where the file system itself refuses.
  @Test(arguments: ["/nowhere/at/all/ledger.sqlite", "/proc/ledger.sqlite", "/sys/ledger.sqlite"])
  func aPlaceThatCannotBeWrittenIsNamed(path: String) throws {
    expectNotOpened(path)
  }

  @Test(.enabled(if: geteuid() != 0, "root may write to a read-only file"))
  func aReadOnlyFileOrFolderIsNamed() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    do { _ = try Ledger(path: path) }
    chmod(path, 0o400)
    expectNotOpened(path)
    chmod(path, 0o600)
    chmod(folder.url.path, 0o500)
    defer { chmod(folder.url.path, 0o700) }
    expectNotOpened(path)
  }

  @Test func aFolderIsNoLedger() throws {
    let folder = try TemporaryFolder()
    expectNotOpened(folder.url.path)
  }

  @Test func aFileOfAnotherKindIsLeftAsItIs() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    let text = Data(String(repeating: "not a ledger\n", count: 1000).utf8)
    try text.write(to: URL(fileURLWithPath: path))
    let error = #expect(throws: LedgerError.self) { try Ledger(path: path) }
    guard case .damaged(path, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == text)
  }

  @Test(arguments: [
    (change: "PRAGMA application_id = 7", says: "another program"),
    (change: "PRAGMA application_id = 0", says: "another program"),
    (change: "PRAGMA user_version = 99", says: "newer segmentd"),
  ])
  func theDatabaseOfAnotherProgramIsRefused(change: String, says: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    do { try Ledger(path: path).write { db in try db.execute(sql: change) } }
    expectNotOpened(path, says: says)
  }

  /// Whatever byte of the file is wrong: an error that names the file, never a crash.
  @Test func aDamagedPageIsReported() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    try fill(path)
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    let pageSize = 4096
    #expect(whole.count > 20 * pageSize)
    var reported = 0
    for page in 1..<whole.count / pageSize {
      var damaged = whole
      for offset in 0..<200 { damaged[page * pageSize + offset] ^= 0x5A }
      let copy = try TemporaryFolder()
      try damaged.write(to: URL(fileURLWithPath: copy.path("ledger.sqlite")))
      if use(copy.path("ledger.sqlite")) { reported += 1 }
    }
    #expect(reported == whole.count / pageSize - 1)
  }

  /// SQLite calls a file damaged whose disk failed while it was read, too: a job that has ended meanwhile has to be
  /// written again, and must not stay as running. Only a check of the whole file says that it is damaged.
  @Test func whatIsReadWrongWhileInUseMayPass() throws {
    for code in [ResultCode.SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_IOERR] {
      guard case .unavailable = LedgerError(DatabaseError(resultCode: code), path: "x") else {
        Issue.record("\(code) is given up")
        continue
      }
    }
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    try fill(path)
    let ledger = try Ledger(path: path)
    try ledger.checkIntegrity()
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    for page in 2..<20 {
      try file.seek(toOffset: UInt64(page * 4096))
      try file.write(contentsOf: Data(repeating: 0x5A, count: 200))
    }
    try file.close()
    let error = #expect(throws: LedgerError.self) { try ledger.checkIntegrity() }
    guard case .damaged(path, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    for words in ["ledger check", "ledger backup", "ledger repair --rebuild", path] {
      #expect(error?.description.contains(words) == true, "\(words)")
    }
  }

  @Test func theWholeFileIsCheckedWhereAnyoneIsToldThatItIsDamaged() throws {
    let fixture = try LedgerFixture()
    let ledger = fixture.ledger
    let damage = DatabaseError(resultCode: .SQLITE_CORRUPT)
    #expect(try !ledger.checkIfSuspect())
    let told: [(Ledger) throws -> Void] = [
      { try $0.read { (_: Database) throws -> Void in throw damage } },
      { try $0.write { (_: Database) throws -> Void in throw damage } },
      {
        try $0.submit(patience: .seconds(1)) { (_: Database) throws -> Void in throw damage }.wait()
      },
      { $0.suspectDamage() },
    ]
    for tell in told {
      try? tell(ledger)
      #expect(try ledger.checkIfSuspect())
      #expect(try !ledger.checkIfSuspect())
    }
    // A statement that fails by itself is no reason.
    try? ledger.write { db in try db.execute(sql: "DELETE FROM nowhere") }
    #expect(try !fixture.ledger.checkIfSuspect() && !fixture.ledger.takeSuspicion())
  }

  /// As SQLite 3.45 words them (btree.c, checkTreePage).
  @Test func aPageThatCannotBeReadIsNoDamage() {
    #expect(Ledger.isOfDisk("Tree 5 page 37: unable to get the page. error code=266"))
    #expect(Ledger.isOfDisk("Tree 5 page 37 cell 2: unable to get the page. error code=10"))
    #expect(!Ledger.isOfDisk("Tree 5 page 37: unable to get the page. error code=11"))
    #expect(!Ledger.isOfDisk("Tree 5 page 37: btreeInitPage() returns error code 11"))
    #expect(!Ledger.isOfDisk("row 3 missing from index jobs_by_state"))
  }

  @Test func singleWrongBytesNeverCrash() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("ledger.sqlite")
    try fill(path)
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    var generator = Linear(state: 1)
    for _ in 0..<40 {
      var damaged = whole
      for _ in 0..<20 {
        damaged[Int.random(in: 100..<whole.count, using: &generator)] ^= UInt8(
          1 << Int.random(in: 0..<8, using: &generator))
      }
      let copy = try TemporaryFolder()
      try damaged.write(to: URL(fileURLWithPath: copy.path("ledger.sqlite")))
      _ = use(copy.path("ledger.sqlite"))
    }
  }

  /// A value that the tables forbid, as damage may leave it: an error, where GRDB would crash.
  @Test func aMissingValueIsReported() throws {
    let fixture = try LedgerFixture()
    try fixture.makeJob()
    try fixture.ledger.write { db in
      try db.execute(
        sql: """
          PRAGMA writable_schema = 1;
          UPDATE sqlite_schema SET sql = replace(sql, 'TEXT NOT NULL', 'TEXT') WHERE name = 'jobs';
          """)
    }
    let ledger = try fixture.reopened()
    try ledger.write { db in try db.execute(sql: "UPDATE jobs SET model = NULL") }
    #expect(throws: LedgerError.self) { try ledger.jobs() }
    #expect(throws: LedgerError.self) { try ledger.claimJob() }
    #expect(try ledger.jobCounts() == ["available": 1])
  }

  /// On a full disk nothing is acknowledged, and what was stays; once there is room it resumes.
  @Test func aFullDiskIsReportedAndSurvived() throws {
    let fixture = try LedgerFixture()
    try fixture.ledger.write { db in
      let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
      try db.execute(sql: "PRAGMA max_page_count = \(pages + 4)")
    }
    var acknowledged = 0
    let error = #expect(throws: LedgerError.self) {
      while acknowledged < 10_000 {
        try fixture.receive(.test(acknowledged))
        acknowledged += 1
      }
    }
    guard case .unavailable(fixture.path, let reason)? = error else {
      Issue.record("\(error.map { "\($0)" } ?? "nothing")")
      return
    }
    #expect(reason.hasPrefix("no space left on device: "), "\(reason)")
    #expect(acknowledged > 0)
    #expect(
      try fixture.ledger.instances(series: "1.2.3").all.map(\.spoolPath).count == acknowledged)
    try fixture.ledger.write { db in try db.execute(sql: "PRAGMA max_page_count = 100000") }
    try fixture.receive(.test(acknowledged))
    #expect(
      try fixture.ledger.instances(series: "1.2.3").all.map(\.spoolPath).count == acknowledged + 1)
    try fixture.ledger.checkIntegrity()
  }

  @Test func messagesNameTheStatementButNoValues() throws {
    let fixture = try LedgerFixture()
    var record = InstanceRecord.test(1)
    record.contentHash = "DOE^JOHN"
    let error = #expect(throws: LedgerError.self) { try fixture.receive(record) }
    let message = try #require(error?.description)
    #expect(message.contains(fixture.path) && message.contains("INSERT INTO instances"))
    #expect(!message.contains("DOE") && !message.contains("\n"))
  }

  private func fill(_ path: String) throws {
    let ledger = try Ledger(path: path)
    for series in 0..<3 {
      for number in 0..<20 { _ = try ledger.recordInstance(.test(number, series: "1.2.\(series)")) }
    }
    for due in try ledger.seriesDue(quietPeriod: 0) {
      try ledger.assembleSeries(due, jobs: [.test()])
    }
    while let job = try ledger.claimJob() {
      try ledger.completeJob(job.id, result: .test(job.id), destinations: ["pacs"])
    }
    if let delivery = try ledger.claimDelivery() { try ledger.markDelivered(delivery) }
  }

  /// Everything that a daemon does with a ledger.
  ///
  /// - Returns: whether some of it said what is wrong.
  private func use(_ path: String) -> Bool {
    do {
      let ledger = try Ledger(path: path)
      var reported = false
      func attempt(_ step: () throws -> Void) {
        do { try step() } catch {
          #expect(error is LedgerError)
          reported = true
        }
      }
      attempt { _ = try ledger.jobs().map { try ledger.job($0.id) } }
      attempt { for series in 0..<3 { _ = try ledger.instances(series: "1.2.\(series)") } }
      attempt { _ = try ledger.series(ofStudy: "1.2") }
      attempt { _ = try ledger.seriesDue(quietPeriod: 0) }
      attempt { try ledger.rescue() }
      attempt { _ = try ledger.recordInstance(.test(77)) }
      attempt { _ = try ledger.claimJob() }
      attempt { _ = try ledger.claimDelivery() }
      attempt { try ledger.checkIntegrity() }
      return reported
    } catch {
      return true
    }
  }

  private func expectNotOpened(_ path: String, says: String = " ") {
    let error = #expect(throws: LedgerError.self) { try Ledger(path: path) }
    guard case .cannotOpen(let named, let reason)? = error else {
      Issue.record("\(error.map { "\($0)" } ?? "nothing") is not cannotOpen")
      return
    }
    #expect(named == path && reason.contains(says))
  }
}
