import Foundation
import TestSupport
import Testing

/// Senders of STOW-RS on a disk that is full for a while: what was answered as stored is there, and what was
/// not is refused for want of space and taken later.
///
/// Each with the disk's reserve, which ends before the disk does, and without, so that files and ledger find
/// no space.
@Suite(
  .serialized, .limitedConcurrency,
  .enabled(if: SmallFileSystem.isPossible, "\(SmallFileSystem.isImpossible)"))
struct WebFullDiskTests {
  private static let limits = ["", ", limits: {diskReserveGB: 0}"]
  /// Refused: out of resources (PS3.4 B.2.3).
  private static let outOfResources = 0xA700

  /// The SOP Instance UID of each file.
  private func instances(of files: [URL]) async throws -> [URL: String] {
    let result = try await runProcess(
      testPython,
      [
        "-c",
        """
        import sys, pydicom
        for f in sys.argv[1:]: print(pydicom.dcmread(f, stop_before_pixels=True).SOPInstanceUID)
        """,
      ] + files.map(\.path))
    let uids = result.output.split(separator: "\n").map(String.init)
    try #require(uids.count == files.count, "\(result.output)")
    return Dictionary(uniqueKeysWithValues: zip(files, uids))
  }

  /// The disk is full in the middle of a request.
  @Test(arguments: limits) func onlyWhatFindsNoSpaceIsRefused(limits: String) async throws {
    let web = try WebStore(limits, assembly: "{quietSeconds: 60}")
    let disk = try SmallFileSystem(at: web.setup.state, kilobytes: 6144)
    let daemon = try await web.start()
    let (folders, series) = try await web.setup.makeAllSeries(1, slices: 240, size: 128)
    let files = try FileManager.default.contentsOfDirectory(
      at: folders[0], includingPropertiesForKeys: nil)
    let instances = try await instances(of: files)
    let answer = try await web.store(files)
    let stored = Set(answer.stored ?? [])
    let failed = answer.failed ?? [:]
    #expect(Set(failed.values) == [Self.outOfResources], "\(answer)")
    #expect(!stored.isEmpty && stored.union(failed.keys) == Set(instances.values))
    #expect(stored.isDisjoint(with: failed.keys))
    #expect(daemon.isRunning)

    try disk.remount(kilobytes: 32_768)
    let kept = files.filter { instances[$0].map(stored.contains) ?? false }
    #expect(try web.setup.kept(kept, series: series) == stored.count)
    // Nothing is there that was refused.
    #expect(web.setup.spooledFiles().count == stored.count)
    let again = try await web.store(files)
    #expect(again.stored?.count == 240 && again.failed?.isEmpty == true, "\(again)")
    #expect(try web.setup.kept(files, series: series) == 240)
    #expect(try await daemon.end() == 0)
  }

  @Test(arguments: limits) func aFullDiskIsAnsweredWith503(limits: String) async throws {
    let web = try WebStore(limits)
    let disk = try SmallFileSystem(at: web.setup.state, kilobytes: 8192)
    let daemon = try await web.start()
    let files = try await web.series()
    try disk.fill()
    let refused = try await web.curl(
      "/studies", "-i", "-H", "Content-Type: application/dicom", "--data-binary",
      "@\(files[0].path)")
    #expect(refused.code == 503, "\(refused)")
    #expect(refused.text.lowercased().contains("retry-after: 30"), "\(refused)")
    #expect(daemon.isRunning && web.setup.spooledFiles().isEmpty)
    try disk.free()
    let taken = try await web.store(files)
    #expect(taken.stored?.count == files.count && taken.failed?.isEmpty == true, "\(taken)")
    let job = try #require(try await web.setup.endedJobs().last)
    #expect(job.state == "completed" && job.instances == files.count, "\(job.reason ?? "")")
    #expect(try await daemon.end() == 0)
  }
}
