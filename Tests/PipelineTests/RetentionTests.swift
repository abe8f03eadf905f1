import ConfigurationFile
import FileSystem
import Foundation
import Logging
import SeriesProcessing
import Synchronization
import TestSupport
import Testing

@testable import Ingest
@testable import JobLedger
@testable import Pipeline

/// What the rules have removed, and a purge that ends in the middle.
@Suite struct RetentionTests {
  private let small: SmallJob
  private var state: StateDirectory { small.state }

  init() async throws { small = try await SmallJob() }

  private func runAndDeliver() async throws {
    let runner = small.runner(memory: MemoryBudget(limit: nil), destinations: ["pacs"])
    #expect(try await runner.runNext { _ in })
    let delivery = try #require(try small.ledger.claimDelivery())
    try small.ledger.markDelivered(delivery)
    try ResultNoteWriter(state: state, ledger: small.ledger, logger: Logger(label: "test"))
      .writeNew()
  }

  private func retention(
    _ rules: SiteConfiguration.Retention, afterDays days: Double = 0, free: Int = .max
  ) -> Retention {
    Retention(
      state: state, ledger: small.ledger, rules: rules, ahead: days * 86_400,
      freeBytes: { free })
  }

  private func rules(_ set: (inout SiteConfiguration.Retention) -> Void)
    -> SiteConfiguration.Retention
  {
    var rules = SiteConfiguration.Retention()
    set(&rules)
    return rules
  }

  private var allAtOnce: SiteConfiguration.Retention {
    rules {
      $0.originals.completedDays = 0
      $0.results.currentDays = 0
    }
  }

  /// Of spool and results that have something in them, relative to the state directory.
  private func files() throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: state.url.path).filter { path in
      guard path.hasPrefix("spool/") || path.hasPrefix("results/"),
        let status = FileStatus(state.file(path).path)
      else { return false }
      return !status.isFolder && status.size > 0
    }.sorted()
  }

  private func check() throws -> StateReport {
    try StateCheck(
      state: state, ledger: Ledger(reading: state.ledger.path), patience: .zero
    ).run()
  }

  /// What `--dry-run` says is what a purge then does.
  @Test func thePlanIsWhatIsDone() async throws {
    try await runAndDeliver()
    let before = try files()
    let sizes = before.reduce(0) { $0 + (FileStatus(state.file($1).path)?.size ?? 0) }
    let retention = retention(allAtOnce)
    let plan = try retention.plan()
    #expect(plan.items.map(\.what.kind) == [.originals, .results])
    #expect(plan.totals.map(\.rule) == ["originals.completedDays: 0", "results.currentDays: 0"])
    #expect(plan.items.reduce(0) { $0 + $1.files } == before.count && plan.bytes == sizes)
    #expect(try files() == before && check().findings == [])
    #expect(try retention.run() == plan)
    #expect(try files() == [] && small.ledger.filesToRemove() == [])
    #expect(FileStatus(state.file("results/\(small.id)").path) == nil)
    #expect(try retention.plan().items == [])
    let report = try check()
    #expect(report.findings == [] && report.notes == [], "\(report.findings)")
  }

  /// By default, and by a rule that is not met, nothing is.
  @Test func nothingIsRemovedThatNoRuleNames() async throws {
    try await runAndDeliver()
    let before = try files()
    #expect(!SiteConfiguration.Retention().isConfigured)
    try retention(SiteConfiguration.Retention(), afterDays: 10_000, free: 0).run()
    try retention(
      rules {
        $0.originals.heldDays = 0
        $0.originals.unusedDays = 0
        $0.results.supersededDays = 0
        $0.originals.maximumGB = 1
        $0.results.maximumGB = 1
        $0.minimumFreeGB = 1
        $0.events.days = 183
      }, afterDays: 10_000
    ).run()
    let young = rules { $0.originals.completedDays = 30 }
    #expect(try retention(young, afterDays: 29.9).run().items == [])
    #expect(try files() == before)
    #expect(try retention(young, afterDays: 30.1).run().items.count == 1)
    #expect(try files() == before.filter { $0.hasPrefix("results/") })
  }

  @Test func heldOriginalsHaveARuleOfTheirOwn() async throws {
    _ = try #require(try small.ledger.claimJob())
    try small.ledger.holdJob(small.id, reason: "a gap")
    let others = rules {
      $0.originals.completedDays = 0
      $0.originals.unusedDays = 0
      $0.originals.maximumGB = 1e-9
      $0.minimumFreeGB = 1000
    }
    let plan = try retention(others, afterDays: 1000, free: 0).run()
    #expect(plan.items == [] && plan.shortfalls.count == 2)
    let held = rules { $0.originals.heldDays = 90 }
    #expect(try retention(held, afterDays: 89).run().items == [])
    #expect(
      try retention(held, afterDays: 91).run().items.map(\.rule) == ["originals.heldDays: 90"])
    #expect(try files() == [])
    // The person who looks at it is told.
    #expect(try small.ledger.job(small.id).job.state == "held")
  }

  /// Too little free: the oldest that is finished goes first, as much as is needed.
  @Test func theOldestGoFirstWhereTheDiskIsShort() async throws {
    try await runAndDeliver()
    let next = try await small.addJob(priority: 0)
    let runner = small.runner(memory: MemoryBudget(limit: nil), destinations: ["pacs"])
    #expect(try await runner.runNext { _ in })
    try small.ledger.markDelivered(try #require(try small.ledger.claimDelivery()))
    let first = try small.ledger.keptOriginals(ofSeries: small.series).bytes
    let short = rules { $0.minimumFreeGB = 1 }
    func plan(missing: Int) throws -> PurgePlan {
      try retention(short, free: 1_000_000_000 - missing).plan()
    }
    #expect(try plan(missing: 0).items == [])
    #expect(try plan(missing: 1).items.map(\.what.seriesInstanceUID) == [small.series])
    #expect(try plan(missing: first).items.count == 1)
    let two = try plan(missing: first + 1)
    #expect(two.items.map(\.what.kind) == [.originals, .originals] && two.shortfalls == [:])
    // Then results, and when that is not enough either, it says so.
    let all = try plan(missing: 900_000_000)
    #expect(all.items.map(\.what.job) == [nil, nil, small.id, next])
    #expect(all.shortfalls == ["minimumFreeGB: 1": 900_000_000 - all.bytes])
    #expect(try retention(short, free: 1_000_000_000 - first).run().items.count == 1)
    #expect(try small.ledger.instances(series: small.series).current.allSatisfy(\.isPurged))
    #expect(try check().findings == [])
  }

  @Test func theOldestGoFirstWhereTooMuchIsKept() async throws {
    try await runAndDeliver()
    let all = try Double(small.ledger.bytesOfOriginals())
    #expect(try retention(rules { $0.originals.maximumGB = all / 1e9 }).plan().items == [])
    let plan = try retention(rules { $0.originals.maximumGB = (all - 1) / 1e9 }).plan()
    #expect(plan.items.map(\.what.kind) == [.originals])
    let results = try retention(rules { $0.results.maximumGB = 1e-9 }).plan()
    #expect(results.items.map(\.what.kind) == [.results])
  }

  /// Wherever the process ends, the next one leaves neither a file without a row nor a row without its file.
  @Test(arguments: 0...4) func aPurgeThatEndsInTheMiddleIsFinished(step: Int) async throws {
    try await runAndDeliver()
    let ledger = small.ledger
    let removal = PurgedFileRemoval(state: state, ledger: ledger)
    var paths: [String] = []
    for item in try retention(allAtOnce).plan().items {
      paths += try #require(try ledger.purge(item.what, reason: "a test")).paths
    }
    // The ledger says that they are purged; none, some or all of the files are gone; half is forgotten.
    if step == 1 { try removal.remove([paths[0]]) }
    if step == 2 { try removal.remove(Array(paths.suffix(1))) }
    if step >= 3 { try removal.remove(paths) }
    if step == 4 { try ledger.forgetRemoved(Array(paths.prefix(3))) }

    let during = try check()
    #expect(during.findings == [], "\(during.findings)")
    #expect(during.notes.count == 1 && during.notes[0].contains("being removed"))
    let next = try Ledger(path: state.ledger.path)
    let recovery = Recovery(intake(next))
    let checks = StartChecks(ledger: next, recovery: recovery, logger: Logger(label: "test"))
    let started = Task { try await checks.run() }
    try await started.value
    #expect(try files() == [] && next.filesToRemove() == [])
    #expect(try next.instances(series: small.series).current.count == 5)
    let after = try check()
    #expect(after.findings == [] && after.notes == [])
    #expect(try next.jobs().map(\.state) == ["completed"])
  }

  private func intake(_ ledger: Ledger) -> Intake {
    let logger = Logger(label: "test")
    return Intake(
      state: state, ledger: ledger, receptions: ReceptionLog(ledger: ledger, logger: logger),
      logger: logger)
  }

  /// Repair has nothing to do, and a ledger that is lost is rebuilt from what is left.
  @Test func repairAndRebuildKnowWhatWasPurged() async throws {
    try await runAndDeliver()
    try retention(rules { $0.originals.completedDays = 0 }).run()
    let repair = StateRepair(
      state: state, ledger: small.ledger, intake: small.intake, isDryRun: false)
    let report = try repair.run()
    #expect(report.steps == [] && report.report.findings == [])

    let lost = try Ledger(path: small.folder.url.appendingPathComponent("new.sqlite").path)
    try Recovery(intake(lost)).rebuildLedger { line, isError in #expect(!isError, "\(line)") }
    #expect(try lost.jobs().map(\.state) == ["completed"])
    #expect(try lost.checkConsistency().findings == [] && lost.seriesDue(quietPeriod: 0).isEmpty)
    try retention(allAtOnce).run()
    #expect(try repair.run().steps == [])
  }

  /// What is sent again is taken; a new job comes to the same result, which is not sent again.
  @Test func aPurgedStudyIsProcessedAgainOnceItComesAgain() async throws {
    try await runAndDeliver()
    let first = try small.ledger.job(small.id).job
    try retention(allAtOnce).run()
    // Without its originals a job is held.
    let early = try small.ledger.reprocess(
      series: small.series, job: NewJob(model: "untrained-tiny"))
    let runner = small.runner(memory: MemoryBudget(limit: nil), destinations: ["pacs"])
    #expect(try await runner.runNext { _ in })
    let held = try small.ledger.job(early).job
    #expect(held.state == "held" && held.reason?.contains("was purged") == true)

    let folder = small.folder.url.appendingPathComponent("series")
    for file in try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil)
    { try small.intake.take(copyOf: file) }
    #expect(try check().findings == [])
    try small.assembler.assembleDue()
    #expect(try await runner.runNext { _ in })
    let last = try #require(try small.ledger.jobs().last)
    #expect(last.state == "completed", "\(last.reason ?? "")")
    #expect(last.objects.map(\.sha256) == first.objects.map(\.sha256))
    #expect(try small.ledger.claimDelivery() == nil)
    #expect(try check().findings == [])
  }

  /// A file that a person put back is as good as one that came again.
  @Test func aPurgedFileThatIsPutBackIsTakenUp() async throws {
    try await runAndDeliver()
    let instance = try #require(small.ledger.instances(series: small.series).current.first)
    let file = state.file(instance.spoolPath)
    let copy = small.folder.url.appendingPathComponent("copy.dcm")
    try FileManager.default.copyItem(at: file, to: copy)
    try retention(rules { $0.originals.completedDays = 0 }).run()
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: copy, to: file)
    #expect(try check().findings.map(\.kind) == [.unknownSpoolFile])
    try Recovery(intake(small.ledger)).rescan { line, isError in #expect(!isError, "\(line)") }
    #expect(
      try small.ledger.instances(series: small.series).current.filter { !$0.isPurged }.count == 1)
    #expect(try check().findings == [])
  }

  /// Instances that were committed before are not any more, and a peer is told so.
  @Test func purgedInstancesAreNotCommitted() async throws {
    try await runAndDeliver()
    let instance = try #require(small.ledger.instances(series: small.series).current.first)
    let reference = CommitmentRecord.Reference(
      sopClassUID: instance.sopClassUID, sopInstanceUID: instance.sopInstanceUID)
    let verification = CommitmentVerification(
      ledger: small.ledger, spool: SpoolCheck(state: state))
    #expect(try await verification.failureReasons([reference]) == [nil])
    try retention(allAtOnce).run()
    #expect(try await verification.failureReasons([reference]) == [0x0112])
  }

  @Test func theServicePurgesWhenItIsDue() async throws {
    try await runAndDeliver()
    let free = Mutex(1_000_000_000)
    let service = RetentionService(
      Retention(
        state: state, ledger: small.ledger, rules: rules { $0.minimumFreeGB = 1 },
        freeBytes: { free.withLock { $0 } }), interval: .seconds(3600),
      logger: Logger(label: "test"))
    try service.purgeIfDue()
    #expect(try files().count > 5)
    // Before the interval is over, as the disk is short.
    free.withLock { $0 = 0 }
    try service.purgeIfDue()
    #expect(try files() == [])
  }
}
