import DICOM
import Foundation
import JobLedger
import Logging
import TestSupport
import Testing

@testable import Pipeline

/// The spool is compared with the ledger before a job runs.
@Suite struct SpoolCheckTests {
  /// One bit of the pixels, one of the header, a file that is cut off, and one that is gone.
  @Test(arguments: ["pixel", "header", "cut", "gone", "emptied"])
  func aDamagedFileIsHeldAndNamed(damage: String) async throws {
    let job = try await SmallJob()
    let instance = try job.ledger.instances(job: job.id).current[2]
    let file = job.state.file(instance.spoolPath)
    let whole = try Data(contentsOf: file)
    var bytes = whole
    switch damage {
    case "pixel": bytes[bytes.count - 100] ^= 4
    case "header": bytes[try #require(bytes.range(of: Data("SYNTHETIC".utf8))).lowerBound] ^= 1
    case "cut": bytes.removeLast(1000)
    case "emptied": bytes = Data()
    default: break
    }
    try bytes.write(to: file)
    if damage == "gone" { try FileManager.default.removeItem(at: file) }

    #expect(try await job.runner.runNext(id: job.id) { _ in })
    let held = try job.ledger.job(job.id).job
    let reason = try #require(held.reason)
    #expect(held.state == "held" && held.objects.isEmpty)
    #expect(reason.hasPrefix("1 of 5 files in the spool is not as received"))
    #expect(reason.contains(instance.sopInstanceUID) && reason.contains(file.path), "\(reason)")
    #expect(reason.contains(damage == "gone" ? "is missing" : "was changed"), "\(reason)")

    // The instance comes again as it was: a new job, which completes.
    let again = job.folder.url.appendingPathComponent("again.dcm")
    try whole.write(to: again)
    try job.intake.take(copyOf: again)
    try job.assembler.assembleDue()
    #expect(try await job.runner.runNext { _ in })
    let jobs = try job.ledger.jobs()
    #expect(jobs.map(\.state) == ["cancelled", "completed"], "\(jobs.last?.reason ?? "")")
  }

  /// A file that is gone before the series is assembled.
  @Test func aMissingFileIsNamedByTheAssembly() async throws {
    let job = try await SmallJob(isAssembled: false)
    let instance = try job.ledger.instances(series: job.series).current[0]
    try FileManager.default.removeItem(at: job.state.file(instance.spoolPath))
    try job.assembler.assembleDue()
    let held = try #require(try job.ledger.jobs().first)
    #expect(held.state == "held")
    #expect(held.reason?.contains("instance \(instance.sopInstanceUID)") == true)
    #expect(held.reason?.contains("is missing") == true)
  }

  @Test func manyDamagedFilesAreCounted() async throws {
    let job = try await SmallJob()
    for instance in try job.ledger.instances(job: job.id).current {
      try Data("x".utf8).write(to: job.state.file(instance.spoolPath))
    }
    #expect(try await job.runner.runNext(id: job.id) { _ in })
    let reason = try #require(try job.ledger.job(job.id).job.reason)
    #expect(reason.hasPrefix("5 of 5 files") && reason.hasSuffix(" and 2 more"), "\(reason)")
  }
}
